"""Name-value pairs as rows of a form: headers, labels, fields. `pair_rows.html` draws them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from app.admin.pages.forms import BLANK_ROWS, Form, count_rows


class Pair(NamedTuple):
    """A filled row: its texts, and the names of its fields."""

    name: str
    value: str
    name_field: str
    value_field: str


@dataclass(frozen=True, slots=True)
class PairRows:
    """
    Rows of a form, at least `least` and at most `most`.

    The fields of row 2 are `<noun>_2_name` and `<noun>_2_value`. Names differ by case only if `is_exact`.
    """

    noun: str
    most: int
    least: int = BLANK_ROWS
    is_exact: bool = True

    def count(self, typed: Mapping[str, str]) -> int:
        """Return the number of rows of the form that shows, or was submitted with, the values *typed*."""
        return count_rows(typed, self.noun, "name", least=self.least, most=self.most)

    def fields(self, typed: Mapping[str, str]) -> list[str]:
        """Return the names of the fields of all rows."""
        numbers = range(1, self.count(typed) + 1)
        return [f"{self.noun}_{number}_{part}" for number in numbers for part in ("name", "value")]

    def values(self, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return the values of a form with *pairs*."""
        return {
            f"{self.noun}_{number}_{part}": text
            for number, pair in enumerate(pairs, 1)
            for part, text in zip(("name", "value"), pair, strict=True)
        }

    def read(self, form: Form) -> Iterator[Pair]:
        """Yield the filled rows of *form*; missing and repeated names become errors."""
        form.check_rows(self.noun, self.most)
        seen = set[str]()
        for number in range(1, self.count(form.typed) + 1):
            name_field, value_field = f"{self.noun}_{number}_name", f"{self.noun}_{number}_value"
            pair = Pair(form[name_field].strip(), form[value_field].strip(), name_field, value_field)
            known_as = pair.name if self.is_exact else pair.name.lower()
            if not pair.name and not pair.value:
                continue
            if not pair.name:
                form.add_error(name_field, "A name is missing")
            elif known_as in seen:
                form.add_error(
                    name_field, f"There is another {self.noun.replace('_', ' ')} '{pair.name[:64]}'"
                )
            else:
                seen.add(known_as)
                yield pair
