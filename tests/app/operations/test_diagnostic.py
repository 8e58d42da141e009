"""Findings, and how those that differ only by name become one."""

from __future__ import annotations

from app.operations.diagnostic import Diagnostic, Level, Subject, group_diagnostics, pool_option


def about(name: str, detail: str = "") -> Diagnostic:
    return Diagnostic(Level.NOTE, "team", "expires", "set NAME", Subject.KEY, (name,), detail)


def test_one_name_is_written_into_the_finding():
    (only,) = group_diagnostics([about("ann", "in 2 d")])

    assert (only.where, only.what, only.remedy) == ("team/ann", "expires in 2 d", "set ann")


def test_several_names_become_one_finding():
    (merged,) = group_diagnostics([about("ann", "in 2 d"), about("bob")])

    assert (merged.where, merged.what) == ("team: each of 2 keys", "expires: ann (in 2 d), bob")
    assert merged.names == ("ann", "bob")


def test_equal_findings_become_one():
    (only,) = group_diagnostics([about("ann"), about("ann")])

    assert (only.where, only.names) == ("team/ann", ("ann",))


def test_the_json_fields():
    """The JSON field of the remedy is also there by its former name."""
    fields = Diagnostic(Level.WRONG, "redis", "it is a replica", "name its master").public()

    assert (fields["level"], fields["mend"], fields["subject"]) == ("wrong", "name its master", "")
    assert fields["remedy"] == fields["mend"]


def test_the_option_of_a_pool():
    assert (pool_option("default"), pool_option("team")) == ("", " --pool team")
