from __future__ import annotations

import pytest

from schemas.names import AdminSchema, Name, Names


class Body(AdminSchema):
    name = Name()
    names = Names()


BODY = Body()


class TestName:
    @pytest.mark.parametrize("name", ["a", "7", "anna", "anna@example.com", "Büro-2", "a.b_c+d", "x" * 64])
    def test_accepted(self, name):
        assert BODY.load({"name": name}) == {"name": name}

    @pytest.mark.parametrize(
        "name", ["", "-a", ".a", "_a", "a b", "a/b", "a:b", "a\n", "x" * 65, 5, None, True, ["a"]]
    )
    def test_refused(self, refusal, name):
        assert refusal(BODY, {"name": name})[0] == "name"


class TestNames:
    @pytest.mark.parametrize("names", [[], ["a", "any text / at all"]])
    def test_accepted(self, names):
        assert BODY.load({"names": names}) == {"names": names}

    @pytest.mark.parametrize("names", ["a", {}, 5, [5], [""], ["a", ""], [None]])
    def test_refused(self, refusal, names):
        assert refusal(BODY, {"names": names})[0] == "names"


def test_a_misspelt_field(refusal):
    assert refusal(BODY, {"naem": "a"}) == ("naem", "naem is not a field of this object")


def test_null_is_a_value_here(refusal):
    """Null is an explicit value here, and these fields have no meaning for it."""
    assert refusal(BODY, {"name": None}) == ("name", "name must not be null")
