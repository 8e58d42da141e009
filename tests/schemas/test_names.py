from __future__ import annotations

import pytest

from schemas.names import AdminSchema, ModelNames, Name, Names


class Body(AdminSchema):
    name = Name()
    names = Names(3)
    models = ModelNames(3)


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

    @pytest.mark.parametrize("names", ["a", {}, 5, [5], [""], ["a", ""], [None], ["a"] * 4])
    def test_refused(self, refusal, names):
        assert refusal(BODY, {"names": names})[0] == "names"


class TestModelNames:
    @pytest.mark.parametrize("names", [[], ["gpt-5", "Llama 3 (8B)", "org/m:tag"], ["a"] * 3])
    def test_accepted(self, names):
        assert BODY.load({"models": names}) == {"models": names}

    @pytest.mark.parametrize("name", [" a", "a ", "a\t", "\u00a0a", "a\u2003", "a\u200b", "a\nb", "x" * 257])
    def test_refused(self, refusal, name):
        """Many upstreams ignore the spaces, so the name would mean another model here than there."""
        assert refusal(BODY, {"models": ["ok", name]})[0] == "models"

    def test_too_many(self, refusal):
        assert refusal(BODY, {"models": ["a"] * 4})[0] == "models"


def test_a_misspelt_field(refusal):
    """The fields that there are follow, where they are few."""
    message = "naem is not a field of this object, which may have name, names, models. Did you mean 'name'?"
    assert refusal(BODY, {"naem": "a"}) == ("naem", message)


def test_a_misspelt_field_of_many(refusal):
    many = AdminSchema.from_dict({f"field_{number}": Name() for number in range(7)})()

    assert refusal(many, {"naem": "a"}) == ("naem", "naem is not a field of this object")


def test_a_misspelt_field_of_many_is_similar_to_one(refusal):
    many = AdminSchema.from_dict({f"field_{number}": Name() for number in range(7)})()

    assert refusal(many, {"feild_3": "a"})[1].endswith("this object. Did you mean 'field_3'?")


def test_null_is_a_value_here(refusal):
    """Null is an explicit value here, and these fields have no meaning for it."""
    assert refusal(BODY, {"name": None}) == ("name", "name must not be null")
