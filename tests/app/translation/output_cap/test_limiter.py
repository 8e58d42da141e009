from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.output_cap.limiter import OutputLimiter

PIECES = st.lists(st.text("abé·", max_size=4), max_size=12)
STOPS = st.lists(st.text("abé·", max_size=3), max_size=3).map(tuple)


def expected(text: str, max_bytes: int | None, stops: tuple[str, ...]) -> tuple[str, str | None]:
    """Return how much of the complete *text* may be shown, and why no more: the rule without streaming."""
    cut = None
    ends = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop and stop in text]
    if ends:  # the one that is complete first, as the text grows
        text, cut = text[: min(ends)[1]], "stop"
    if max_bytes is not None and len(text.encode()) > max_bytes:
        text, cut = text.encode()[:max_bytes].decode(errors="ignore"), "length"
    return text, cut


class TestText:
    @given(PIECES, st.none() | st.integers(0, 30), STOPS)
    def test_pieces_do_not_matter(
        self, pieces: list[str], max_bytes: int | None, stops: tuple[str, ...]
    ) -> None:
        """The shown text and the reason do not depend on how the text is split into deltas."""
        gate, shown = OutputLimiter(max_bytes, stops), ""
        for piece in pieces:
            if gate.cut is None:
                shown += gate.limit_text(piece)
        if gate.cut is None:
            shown += gate.release()

        assert (shown, gate.cut) == expected("".join(pieces), max_bytes, stops)

    @pytest.mark.parametrize("pieces", [["bab"], ["b", "a", "b"], ["ba", "b"]])
    def test_the_stop_that_is_complete_first_counts(self, pieces: list[str]) -> None:
        gate = OutputLimiter(None, ("a", "bab"))

        assert "".join(gate.limit_text(piece) for piece in pieces if gate.cut is None) == "b"

    def test_held_back(self) -> None:
        """Only what may become a stop text waits."""
        gate = OutputLimiter(None, ("END",))

        assert [gate.limit_text(piece) for piece in ("so E", "N", "O", " EN", "D!")] == [
            "so ",
            "",
            "ENO",
            " ",
            "",
        ]
        assert gate.cut == "stop"

    def test_exactly_full(self) -> None:
        """A response that just fits is not cut."""
        gate = OutputLimiter(3)

        assert gate.limit_text("abc") == "abc"
        assert gate.cut is None
        assert gate.limit_text("d") == ""
        assert gate.cut == "length"


class TestOther:
    def test_counts_but_is_not_stopped(self) -> None:
        gate = OutputLimiter(6, ("b",))

        assert gate.limit_other("abc") == "abc"
        assert gate.limit_other("abcd") == "abc"
        assert gate.cut == "length"
