"""Limits as rows of a form."""

from __future__ import annotations

import pytest

from app.admin.pages.forms import Form
from app.admin.pages.limit_rows import count_rows, meaning, read_limits, row_fields, row_values
from app.limits.limit_syntax import format_limit, parse_limit
from schemas.bounds import MAX_LIMITS

TEXTS = (
    "5.50 usd/month for gpt-5* balanced",
    "10 requests/minute",
    "20 parallel_requests",
    "1000000 total_tokens/ever",
)


def form_of(**typed: str) -> Form:
    return Form(typed, *row_fields(2))


def test_rows_of_limits_are_read_as_the_same_limits() -> None:
    values = row_values(map(parse_limit, TEXTS))

    read = read_limits(Form(values, *row_fields(6)), 6)

    assert [format_limit(limit) for limit in read] == [format_limit(parse_limit(text)) for text in TEXTS]
    assert values["limit_5_amount"] == ""


def test_blank_rows_below_as_many_as_a_form_may_have() -> None:
    limits = [parse_limit("5 usd/month")] * MAX_LIMITS

    assert [count_rows(row_values(limits[:n])) for n in (0, 1, 4, 63, 64)] == [5, 5, 6, 64, 64]
    assert count_rows({f"limit_{MAX_LIMITS + 1}_amount": "5"}) == 5


@pytest.mark.parametrize(("amount", "expected"), [("$1,000", "1000 usd/month"), ("1 000", "1000 usd/month")])
def test_an_amount_as_people_type_it(amount: str, expected: str) -> None:
    (limit,) = read_limits(form_of(limit_1_amount=amount), 2)

    assert format_limit(limit) == expected


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"amount": "much"}, ["amount"]),
        ({"amount": "0", "model": "*" * 9}, ["model", "amount"]),
        ({"model": "gpt-5"}, ["amount"]),
        ({"amount": "5", "unit": "euros"}, ["unit"]),
        ({"amount": "5", "period": "fortnight"}, ["period"]),
        ({"amount": "5", "mode": "loose"}, ["mode"]),
    ],
)
def test_errors_are_at_their_fields(typed: dict[str, str], wrong: list[str]) -> None:
    form = form_of(**{f"limit_2_{part}": text for part, text in typed.items()})

    assert read_limits(form, 2) == []
    assert list(form.errors) == [f"limit_2_{part}" for part in wrong]


def test_the_meaning_of_a_row() -> None:
    form = Form(row_values(map(parse_limit, TEXTS)), *row_fields(6))

    words, text = meaning(form, "limit_1_").split(" As text: ")
    assert words.startswith("At most 5.5 US dollars per calendar month, for gpt-5*: ")
    assert words.endswith("a request is refused unless its estimate fits.")
    assert text == "5.5 usd/month for gpt-5* balanced"
    assert meaning(form, "limit_3_").endswith("As text: 20 parallel_requests")
    assert meaning(form, "limit_5_") == ""


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        ("much", "'much' is not a number"),
        ("-1", "A limit must be above zero, not -1"),
        ("0.0000001", "cost must be dollars with six decimals: 0.0000001 is too fine"),
    ],
)
def test_an_amount_that_is_no_limit_has_its_reason(amount: str, reason: str) -> None:
    """Once it was submitted, the reason is at the field instead."""
    form = form_of(limit_1_amount=amount)

    assert meaning(form, "limit_1_") == reason
    read_limits(form, 1)
    assert meaning(form, "limit_1_") == ""


def test_the_meaning_of_an_amount_as_people_type_it() -> None:
    words, text = meaning(form_of(limit_1_amount="$1,000", limit_1_unit="usd"), "limit_1_").split(": ", 1)

    assert words == "At most 1,000 US dollars per calendar month, for all models"
    assert text.endswith("As text: 1000 usd/month")


def test_more_rows_than_a_form_may_have() -> None:
    form = form_of(**{f"limit_{MAX_LIMITS + 1}_amount": "5"})

    assert read_limits(form, 2) == []
    assert form.status == 400
