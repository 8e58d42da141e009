"""Lists are sorted, cut and exported as options require, and fit a terminal."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable

import click
import pytest

from app.accounts.account import Account
from app.cli import listing
from app.cli.listing import fitted, to_csv
from app.cli.output import Figure, amount, cost
from app.wiring import Services
from tests.app.cli.conftest import Run
from tests.support.ledger_rows import record_request

HEADS = ("NAME", "STATE", "COUNT", "MODELS")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Pretend that standard output is a terminal of so many columns, without colours."""

    def set_width(width: int) -> None:
        monkeypatch.setattr(listing, "terminal_width", lambda: width)

    return set_width


def first_column(output: str) -> list[str]:
    return [line.split("  ")[0] for line in output.splitlines()[1:]]


class TestFitted:
    ROW = ("key-1", "active", amount(1_234_567), "gpt-5, gpt-5-mini, o3, o4-mini, llama-4")

    def test_the_widest_text_is_shortened(self) -> None:
        lines = fitted(HEADS, [self.ROW], [], 40).splitlines()

        assert [len(line) for line in lines] == [len("NAME   STATE       COUNT  MODELS"), 40]
        assert lines[1] == "key-1  active  1,234,567  gpt-5, gpt-5-…"

    def test_names_and_numbers_are_not(self) -> None:
        assert fitted(HEADS, [self.ROW], [], 34).splitlines()[1] == "key-1  active  1,234,567  gpt-5, …"

    @pytest.mark.parametrize(
        ("width", "line"),
        [
            (33, "key-1  active  1,234,567"),
            (23, "key-1  active"),
            (13, "key-1  active"),
            (12, "key-1"),
            (1, "key-1"),
        ],
    )
    def test_the_last_columns_are_left_out_where_that_is_not_enough(self, width: int, line: str) -> None:
        assert fitted(HEADS, [self.ROW], [self.ROW], width).splitlines()[1:] == [line, line]

    def test_a_column_that_other_commands_need_is_not(self) -> None:
        text = fitted(["ENDED", "MODEL", "ID"], [("12:00", "gpt-5", "req_1")], [], 12)
        assert text.splitlines() == ["ENDED  ID", "12:00  req_1"]

    def test_no_more_than_needed(self) -> None:
        assert "llama-4" in fitted(HEADS, [self.ROW], [], 80)

    def test_without_a_terminal(self) -> None:
        """Nothing is cut, and there are no colours."""
        lines = fitted(HEADS, [("a", "active", 1, "m" * 500)], [], None).splitlines()

        assert lines[1] == f"a     active      1  {'m' * 500}"

    def test_colours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """They do not count as width."""
        monkeypatch.setattr(listing, "has_colours", lambda: True)

        text = fitted(HEADS, [self.ROW, ("k", "paused", amount(1), "x")], [], 40)

        assert click.style("active", fg="green") in text
        assert click.style("paused", fg="bright_black") in text
        assert click.unstyle(text).splitlines()[1] == "key-1  active  1,234,567  gpt-5, gpt-5-…"

    @pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
    def test_no_color(self, name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        assert listing.has_colours()

        monkeypatch.setenv(name, value)
        assert not listing.has_colours()


class TestSpareColumns:
    def test_only_where_there_is_room(
        self, terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
    ) -> None:
        for width, is_shown in ((129, False), (130, True)):
            terminal(width)
            listing.show_table(HEADS, [("a", "active", 1, "m")], "Nothing.", spare=("COUNT",))

            assert ("COUNT" in capsys.readouterr().out) == is_shown

    def test_the_first_column_stays(
        self, terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It may be a label of that name: `--by label:cached`."""
        terminal(80)
        listing.show_table(("CACHED", "CACHED"), [("yes", 1)], "Nothing.", spare=("CACHED",))

        assert capsys.readouterr().out == "CACHED\nyes\n"


class TestCsv:
    def test_exact_numbers(self) -> None:
        rows = [("ann", amount(1_234_567), cost(1_234_567), Figure("42%"))]

        assert to_csv(("NAME", "IN FLIGHT", "COST", "USED"), rows).splitlines() == [
            "name,in-flight,cost,used",
            "ann,1234567,1.234567,42%",
        ]

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
    def test_a_text_is_no_formula(self, text: str) -> None:
        (_, (cell,)) = csv.reader(io.StringIO(to_csv(("NAME",), [(text,)])))

        assert cell[0] == "'"

    def test_negative_numbers_stay(self) -> None:
        assert to_csv(("N",), [(amount(-5),), (-6,)]).splitlines() == ["n", "-5", "-6"]

    def test_texts_with_commas_quotes_and_nothing(self) -> None:
        ((_, _), row) = csv.reader(io.StringIO(to_csv(("A", "B"), [('a,"b"', "-")])))

        assert row == ['a,"b"', ""]


class TestCommands:
    @pytest.fixture
    def keys(self, poolgate: Run, services: Services) -> None:
        services.pools.ensure("default")
        for name, owner in (("key-10", "Bob"), ("key-2", "Ann"), ("key-1", "")):
            services.api_keys.create("default", name, owner=owner)

    def test_names_by_number(self, poolgate: Run, keys: None) -> None:
        assert first_column(poolgate("key list").stdout) == ["key-1", "key-2", "key-10"]

    def test_by_a_column(self, poolgate: Run, keys: None) -> None:
        """What has no value comes last."""
        assert first_column(poolgate("key list --sort owner").stdout) == ["key-2", "key-10", "key-1"]
        assert first_column(poolgate("key list --sort -name").stdout) == ["key-10", "key-2", "key-1"]

    def test_numbers_from_the_largest(self, poolgate: Run, services: Services) -> None:
        services.pools.ensure("default")
        for name, cap in (("a", 9), ("b", 100), ("c", 20)):
            services.accounts.add("default", Account("", name, "openai", "http://x", cap=cap))

        assert first_column(poolgate("account list --sort cap --top 2").stdout) == ["b", "c"]

    def test_an_unknown_column(self, poolgate: Run, keys: None) -> None:
        result = poolgate("key list --sort size")

        assert result.exit_code == 2
        assert "--sort must be a column, or -COLUMN: name, team, owner" in result.stderr

    def test_csv(self, poolgate: Run, keys: None) -> None:
        result = poolgate("key list --csv --top 1")

        assert result.stdout.splitlines()[0].startswith("name,team,owner,state")
        assert result.stdout.splitlines()[1:] == ["key-1,,,active,never,all,all,none,"]

    def test_csv_of_nothing(self, poolgate: Run, services: Services) -> None:
        services.pools.ensure("default")

        assert poolgate("key list --csv").stdout.startswith("name,team")

    @pytest.mark.parametrize("option", ["--csv", "--top 1", "--sort name"])
    def test_not_with_json(self, poolgate: Run, keys: None, option: str) -> None:
        result = poolgate(f"key list --json {option}")

        assert result.exit_code == 2
        assert "cannot be combined" in json.loads(result.stderr)["error"]["message"]

    @pytest.mark.parametrize("top", ["0", "-1", "10001", "x"])
    def test_bounds_of_top(self, poolgate: Run, keys: None, top: str) -> None:
        assert poolgate(f"key list --top {top}").exit_code == 2

    def test_a_total_of_all_rows(
        self, poolgate: Run, services: Services, terminal: Callable[[int], None]
    ) -> None:
        """On a terminal alone; of the rows that are not shown as well."""
        services.pools.ensure("default")
        for model in ("a", "a", "b", "c"):
            record_request(services.scripts, "default", time.time(), model=model)

        assert "TOTAL" not in poolgate("usage --by model").stdout
        terminal(80)
        lines = poolgate("usage --by model --sort requests --top 2").stdout.splitlines()
        cells = [line.split("  ", 1) for line in lines[1:]]
        assert [(name, rest.split()[0]) for name, rest in cells] == [
            *[("a", "2"), ("b", "1"), ("TOTAL OF 3", "4")],
        ]
        assert "TOTAL OF 3" in poolgate("usage --by model --top 1").stdout
        assert "TOTAL  " in poolgate("usage --by model --top 3").stdout

    def test_limits_as_csv(self, poolgate: Run, services: Services) -> None:
        poolgate("pool limit add", "5 usd/month")
        poolgate("pool limit add", "2000000 total_tokens/day")

        rows = list(csv.DictReader(io.StringIO(poolgate("pool limit list --csv").stdout)))

        assert [row["remaining"] for row in rows] == ["5", "2000000"]

    @pytest.mark.parametrize(
        "command", ["pool list", "alert list", "admin list", "admin token list", "team list", "model list"]
    )
    def test_lists_without_rows(self, poolgate: Run, services: Services, command: str) -> None:
        """As a table a sentence, as CSV the heads."""
        services.pools.ensure("default")

        result = poolgate(f"{command} --csv")

        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith("name,")
