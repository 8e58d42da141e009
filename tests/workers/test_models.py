"""`/v1/models` is made of the models that the accounts' upstreams list."""

from __future__ import annotations

import time

import orjson
import pytest
from cryptography.fernet import Fernet

from app.accounts import model_lists
from app.accounts.job_results import JobResult
from app.accounts.kinds import chatgpt
from app.errors import UpstreamProtocolError
from app.stores import keys
from schemas import bounds
from tests.workers.conftest import POOL
from workers import models, refresh, retest, usage

CODEX = "/backend-api/codex/models"


def play(body: object, status: int = 200) -> dict[str, object]:
    return {"play": "json", "status": status, "body": body}


@pytest.mark.parametrize("job", [models, usage, refresh, retest])
def test_a_credential_that_cannot_be_read(built, upstream, add, redis_client, job_result, capsys, job):
    """It is a result like any other; the other accounts have their turn, and no one is taken out for it."""
    bad = add("bad", "chatgpt", chatgpt_account_id="acc-1")
    add("good")
    sealed = Fernet(Fernet.generate_key()).encrypt(b"sk").decode()
    redis_client.hset(
        keys.account(POOL, bad.id), mapping={"credential": "", "sign_in": sealed, "expires_ms": 1000}
    )
    if job is retest:
        redis_client.hset(keys.account(POOL, bad.id), mapping={"state": "credential_dead", "since_ms": 1000})
    before = built.accounts.find_without_credential(POOL, "bad").state
    upstream.script(play({"object": "list", "data": [{"id": "m"}]}), account="good", path="/models")

    job.run(built, time.time())

    assert job_result(bad, job.__name__.removeprefix("workers."))["result"] == "credential_unreadable"
    assert built.accounts.find_without_credential(POOL, "bad").state == before
    log = capsys.readouterr().out
    assert "account_job_failed" not in log
    assert "warning" in next(line for line in log.splitlines() if "account_job_result" in line)
    if job is models:
        assert built.accounts.find(POOL, "good").listed == ("m",)


def test_a_credential_that_the_next_process_can_read(built, upstream, add, job_result):
    """A gateway that was started again with the right key is noticed at once, not after the usual period."""
    account = add("a")
    upstream.script(play({"object": "list", "data": [{"id": "m"}]}), account="a", path="/models")
    models.run(built, time.time())
    unreadable = JobResult(int(time.time()), "credential_unreadable")
    built.accounts.observe(POOL, account.id, {"look_models": unreadable.to_json()})

    models.run(built, time.time())

    assert job_result(account, "models")["result"] == "ok"


@pytest.mark.parametrize("kind", ["openai", "compatible", "demo"])
def test_a_list_of_models(built, upstream, add, job_result, kind):
    account = add("a", kind)
    upstream.script(
        play({"object": "list", "data": [{"id": "m2"}, {"id": "m1"}]}), account="a", path="/models"
    )

    models.run(built, time.time())

    assert built.accounts.find(POOL, "a").listed == ("m1", "m2")
    assert job_result(account, "models")["result"] == "ok"


def test_the_chatgpt_backend_reports_more_details(built, upstream, add):
    """The fields for `/v1/models` are stored; models that are not served to API clients are not listed."""
    add("ann", "chatgpt", chatgpt_account_id="acc-1")
    shown = {"display_name": "GPT", "context_window": 272000, "supported_in_api": True, "priority": 1}
    listed = [
        {"slug": "gpt-5.2", "base_instructions": "long", "description": None, **shown},
        {"slug": "internal", "supported_in_api": False},
        {"display_name": "nameless"},
    ]
    upstream.script(play({"models": listed}), account="ann", path=CODEX)

    models.run(built, time.time())

    account = built.accounts.find(POOL, "ann")
    assert account.listed == ("gpt-5.2",)
    assert account.metadata == {"gpt-5.2": shown}
    catalogue = built.upstream.metadata.get(POOL, "catalogue", [account.id])
    assert catalogue == [{"gpt-5.2": {"base_instructions": "long"}}]
    assert upstream.log("ann")[0].query == f"client_version={chatgpt.CLIENT_VERSION}"


def test_instructions_have_a_bound(built, upstream, add):
    """Longer texts are not stored: the catalogue then uses its own."""
    account = add("ann", "chatgpt", chatgpt_account_id="acc-1")
    long = {
        "slug": "m",
        "base_instructions": "x" * (model_lists.MAX_INSTRUCTIONS + 1),
        "shell_type": "local",
    }
    upstream.script(play({"models": [long]}), account="ann", path=CODEX)

    models.run(built, time.time())

    assert built.upstream.metadata.get(POOL, "catalogue", [account.id]) == [{"m": {"shell_type": "local"}}]


def test_a_failure_leaves_the_last_list(built, upstream, add, job_result, next_period):
    account = add("a")
    upstream.script(play({"data": [{"id": "m"}]}), play({}, 500), account="a", path="/models")
    models.run(built, time.time())
    next_period()

    models.run(built, time.time())

    assert built.accounts.find(POOL, "a").listed == ("m",)
    assert job_result(account, "models")["result"] == "upstream_error"


def test_a_refused_credential_is_stored_as_such(built, upstream, add, job_result):
    account = add("a")
    upstream.script(play({"error": {"message": "No", "type": "t"}}, 401), account="a", path="/models")

    models.run(built, time.time())

    stored = job_result(account, "models")
    assert (stored["result"], stored["failure"]) == ("failed", "credential")


@pytest.mark.parametrize(("status", "seconds"), [(503, 60), (401, 300), (404, 300), (200, 300)])
def test_one_that_has_not_answered_is_listed_more_often(built, upstream, add, redis_client, status, seconds):
    """It comes last until it answers, and its server may have been started since."""
    account = add("a")
    reply = {"data": [{"id": "m"}]} if status == 200 else {"error": {"message": "No"}}
    upstream.script(play(reply, status), account="a", path="/models")
    for _ in range(2):
        redis_client.delete(keys.job_claim(POOL, "models", account.id))
        models.run(built, time.time())

    assert 0.8 * seconds < redis_client.ttl(keys.job_claim(POOL, "models", account.id)) <= seconds
    assert (built.accounts.find(POOL, "a").unproven == "") == (status in (404, 200))


@pytest.mark.parametrize(
    ("unproven", "status", "answers"),
    [
        *(("unreachable", 404, True), ("unreachable", 405, True), ("slow", 405, False)),
        *(("unreachable", 503, False), ("credential", 404, False), ("endpoint_missing", 404, False)),
        *(("redirected", 404, False), ("server_error", 404, False), ("blocked", 404, False)),
    ],
)
def test_a_server_without_a_list_answers_again(built, upstream, add, unproven, status, answers):
    """Any response shows that it can be reached; not that it serves requests, which a test may have shown."""
    account = add("a")
    built.accounts.observe(POOL, account.id, {}, unanswered=unproven)
    upstream.script(play({"error": {"message": "No"}}, status), account="a", path="/models")

    models.run(built, time.time())

    assert (built.accounts.find(POOL, "a").unproven == "") is answers


def test_accounts_that_need_attention_are_skipped(built, upstream, add):
    add("a")
    built.accounts.pause(POOL, "a")

    models.run(built, time.time())

    assert upstream.log() == []


@pytest.mark.parametrize("payload", [{}, {"data": None}, {"data": {}}])
def test_what_is_no_list(payload):
    with pytest.raises(UpstreamProtocolError):
        model_lists.listed_models(payload)


def test_odd_entries_are_passed_over():
    assert model_lists.listed_models({"data": [7, {}, {"id": 7}, {"id": "m"}, {"id": "m"}]}) == ["m"]


def test_a_list_has_a_bound():
    """Of names as of their length: they become keys in the store."""
    assert model_lists.listed_models({"data": [{"id": "x" * 257}, {"id": "x" * 256}, {"id": ""}]}) == [
        "x" * 256
    ]
    many = [{"id": str(number)} for number in range(bounds.MAX_LISTED_MODELS + 1)]
    assert len(model_lists.listed_models({"data": many})) == bounds.MAX_LISTED_MODELS


def test_what_is_stored_of_a_list_has_a_bound(built, upstream, add, redis_client):
    """The names that fit, as one JSON list: one byte more of the last, and it is left out."""
    account, name = add("a"), "x" * 249
    number = (bounds.MAX_LISTED_BYTES - 1) // 257
    rest = bounds.MAX_LISTED_BYTES - number * 257 - 4
    for length, fits in ((rest, True), (rest + 1, False)):
        ids = [f"a{i:04}{name}" for i in range(number)] + ["z" * length]
        built.upstream.lists.store_models(POOL, account, {"data": [{"id": one} for one in ids]})

        stored = redis_client.hget(keys.account(POOL, account.id), "listed")
        assert len(stored) <= bounds.MAX_LISTED_BYTES
        assert orjson.loads(stored) == (ids if fits else ids[:-1])


def test_more_metadata_than_that_is_not_stored(built, add):
    account = add("ann", "chatgpt", chatgpt_account_id="acc-1")
    frame = len('{"m":{"description":""}}')
    for more, stored in ((0, 1), (1, 0)):
        listed = {"slug": "m", "description": "x" * (bounds.MAX_LISTED_BYTES - frame + more)}
        built.upstream.lists.store_models(POOL, account, {"models": [listed]})

        found = built.accounts.find(POOL, "ann")
        assert (len(found.metadata), found.listed) == (stored, ("m",))


@pytest.mark.parametrize("name", model_lists.TYPES)
@pytest.mark.parametrize("value", [None, True, 2**63, -1.5, "", "x", [], {}])
def test_a_field_of_another_type_is_left_out(name, value):
    """A client that reads the catalogue as a whole or not at all can read it, whatever one upstream sends."""
    listed = model_lists.codex_models({"models": [{"slug": "m", name: value}]}, [name])

    stored_value = listed.get("m", {}).get(name)
    expected = model_lists.TYPES[name]
    assert stored_value is None or type(stored_value) in (
        expected if isinstance(expected, tuple) else (expected,)
    )
    assert type(stored_value) is not int or abs(stored_value) < 2**41
