from __future__ import annotations

from app.admin.pages.forms import Form
from app.errors import InvalidRequest, UpstreamUnreachable
from app.limits.limit_syntax import parse_limit
from app.operations.account_rules import KIND_RULES
from schemas.accounts import AccountInput


class TestFaults:
    def test_a_schema_names_the_field(self) -> None:
        form = Form({"name": "!", "kind": "openai", "cap": "x"}, "name", "cap")

        with form.collect_errors():
            AccountInput(KIND_RULES).load(
                {"name": form["name"], "kind": form["kind"], "cap": form.integer("cap")}
            )

        assert set(form.errors) == {"name", "cap"}
        assert form.status == 400
        assert form["name"] == "!"

    def test_an_error_names_the_field(self) -> None:
        form = Form({}, "name")

        with form.collect_errors():
            raise InvalidRequest("It is taken", param="name")

        assert form.errors == {"name": "It is taken"}

    def test_of_what_the_page_has_no_field_for(self) -> None:
        """The message is shown above the form, with the name of the field."""
        form = Form({}, "name")

        with form.collect_errors():
            raise InvalidRequest("is odd", param="wires")

        assert form.errors == {"": "wires: is odd"}

    def test_under_another_name(self) -> None:
        form = Form({"limits": "much"}, "limits")
        form.redirect_errors("limit", "limits")

        with form.collect_errors():
            parse_limit(form["limits"])

        assert list(form.errors) == ["limits"]

    def test_an_error_without_a_field(self) -> None:
        form = Form({}, "name")

        with form.collect_errors():
            raise UpstreamUnreachable("The upstream could not be reached")

        assert form.errors == {"": "The upstream could not be reached"}

    def test_none(self) -> None:
        form = Form({"name": "a"}, "name")

        with form.collect_errors():
            pass

        assert (form.errors, form.status) == ({}, 200)


class TestReading:
    def test_only_what_was_filled_in(self) -> None:
        assert Form({"a": " x ", "b": "  "}).filled("a", "b", "c") == {"a": "x"}

    def test_lists(self) -> None:
        assert Form({"models": " a, b\nc,,\n"}).lines("models") == ["a", "b", "c"]

    def test_numbers(self) -> None:
        """What is no whole number stays text, for a schema to refuse."""
        form = Form({"a": " 12 ", "b": "1.5", "c": "-3", "d": "9" * 40, "e": "²"})

        assert [form.integer(name) for name in "abcde"] == [12, "1.5", "-3", "9" * 40, "²"]


class TestRowsAboveTheLimit:
    def test_one_that_is_filled_in(self) -> None:
        """It would be left out without a word."""
        form = Form({"secret_header_2_name": "", "secret_header_3_value": "1"})

        form.check_rows("secret_header", 2)

        assert form.errors == {"": "The form has rows of secret headers above 2, which is the limit"}

    def test_none(self) -> None:
        form = Form({"header_2_name": "a", "header_3_name": " ", "header_x_name": "b", "headers": "c"})

        form.check_rows("header", 2)

        assert not form.errors
