"""`poolgate key`, on a real store, compared with the view of the service."""

from __future__ import annotations

import hashlib
import json
import re

import orjson
import pytest

from app.accounts.account import Account
from app.errors import InvalidApiKey
from tests.support.store_contents import everything_in

SECRET = re.compile(r"sk-pg-[a-z0-9_-]+-[0-9A-Za-z]{43}")


class TestCreate:
    def test_the_key_stands_alone_on_standard_output(self, poolgate, services):
        """So that `KEY=$(poolgate key create --name ann)` holds it and nothing more."""
        result = poolgate("key create --name ann")

        assert SECRET.fullmatch(result.stdout.rstrip("\n"))
        assert result.stderr == "Key 'ann' in pool 'default', shown only once:\n"
        key = services.api_keys.authenticate(result.stdout.strip())
        assert (key.name, key.models, key.accounts, key.limits) == ("ann", (), (), ())
        assert services.pools.names() == ["default"]

    def test_every_option(self, poolgate, services):
        services.pools.ensure("team-b")
        x, y = (
            services.accounts.add("team-b", Account("", name, "openai", "http://up.test")) for name in "xy"
        )

        result = poolgate(
            "key create --pool team-b --name ann --models gpt-5,o4-mini --accounts y,x --expires 2027-01-01",
            *("--limit", "1000000 total_tokens/day", "--limit", "20 parallel_requests"),
        )

        assert result.exit_code == 0
        key = services.api_keys.authenticate(result.stdout.strip())
        assert (key.pool, key.models, key.accounts) == ("team-b", ("gpt-5", "o4-mini"), (y.id, x.id))
        assert key.expires_at == 1798761600  # its first moment, UTC
        assert [(limit.unit, limit.period, limit.max) for limit in key.limits] == [
            ("total_tokens", "day", 1_000_000),
            ("parallel_requests", "none", 20),
        ]

    @pytest.mark.parametrize(("option", "raw"), [("", False), ("--raw", True)])
    def test_who_may_see_upstream_messages(self, poolgate, services, option, raw):
        secret = poolgate(f"key create --name ann {option}").stdout.strip()

        assert services.api_keys.authenticate(secret).raw is raw

    def test_json(self, poolgate, services):
        result = poolgate("key create --name ann --json")

        created = json.loads(result.stdout)
        assert result.stderr == ""
        assert services.api_keys.authenticate(created["key"]).id == created["id"]
        assert created["name"] == "ann"

    def test_what_to_do_about_a_cut(self, poolgate, services):
        restarting = poolgate("key create --name ann --on-cut restart").stdout.strip()
        failing = poolgate("key create --name bob").stdout.strip()

        assert services.api_keys.authenticate(restarting).on_cut == "restart"
        assert services.api_keys.authenticate(failing).on_cut == "fail"
        assert poolgate("key create --name eve --on-cut guess").exit_code == 2

    def test_it_is_shown_once(self, poolgate, redis_client):
        secret = poolgate("key create --name ann").stdout.strip()

        later = poolgate("key list").output + poolgate("key list --json").output
        later += poolgate("key disable ann --json").output
        assert secret not in later
        assert secret not in everything_in(redis_client)

    def test_a_taken_name(self, poolgate):
        poolgate("key create --name ann")

        result = poolgate("key create --name ann")

        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "Error: A key named 'ann' exists in pool 'default'\n"

    def test_too_many_limits(self, poolgate, services):
        result = poolgate("key create --name ann", *["--limit", "5 usd/day"] * 65)

        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: A key, a team or a pool has at most 64 limits")
        assert services.api_keys.all("default") == []

    def test_unknown_accounts_are_named(self, poolgate, services):
        services.accounts.add("default", Account("", "x", "openai", "http://up.test"))

        result = poolgate("key create --name ann --accounts x,nope,nada")

        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "Error: There is no account named 'nope', 'nada' in pool 'default'\n"
        assert services.api_keys.all("default") == []

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (("--name", "a b"), "name must be 1 to 64"),
            (("--name", "ann", "--limit", "lots"), "'lots' is not a limit"),
            (("--name", "ann", "--limit", "5 cows/day"), "'cows' cannot be limited"),
            (("--name", "ann", "--expires", "soon"), "--expires must be a date such as 2027-01-01"),
            (("--name", "ann", "--models", ""), "must be one or more, separated by commas"),
            (("--name", "ann", "--accounts", ","), "must be one or more, separated by commas"),
            ((), "Missing option '--name'"),
        ],
    )
    def test_wrong_usage(self, poolgate, services, args, message):
        """An empty list is refused, because it would mean `all`."""
        result = poolgate("key create", *args)

        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.count("\n") == 1
        assert message in result.stderr
        assert services.api_keys.all("default") == []


class TestOfAnotherGateway:
    SECRET = "sk-ABCdef1234567890ghijkl"
    DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()

    def test_stays_valid(self, poolgate, services):
        result = poolgate("key create --name ann --sha256", self.DIGEST, "--limit", "5 requests/day")

        assert (result.exit_code, result.stdout) == (0, "")
        assert "Key 'ann' in pool 'default' is the one with this SHA-256." in result.stderr
        assert services.api_keys.authenticate(self.SECRET).name == "ann"
        assert self.DIGEST not in str(services.audit.page().entries)

    @pytest.mark.parametrize("digest", ["ABC", SECRET, DIGEST.upper(), DIGEST + "0"])
    def test_a_malformed_digest(self, poolgate, digest):
        result = poolgate("key create --name ann --sha256", digest)

        assert result.exit_code == 2
        assert "sha256 must be 64 hexadecimal digits" in result.stderr

    def test_in_another_pool(self, poolgate):
        result = poolgate("key create --pool team --name ann --sha256", self.DIGEST)

        assert result.exit_code == 1
        assert "so they work only in the pool 'default'" in result.stderr

    def test_that_another_key_has(self, poolgate):
        poolgate("key create --name ann --sha256", self.DIGEST)

        assert poolgate("key create --name bob --sha256", self.DIGEST).exit_code == 1

    def test_in_a_document(self, poolgate, services):
        document = orjson.dumps({"keys": [{"name": "ann", "sha256": self.DIGEST}]})

        result = poolgate("apply -", stdin=document)

        assert result.stdout.startswith("add API key 'ann'\n  sha256: of a key of another gateway\nAdded 1")
        assert services.api_keys.authenticate(self.SECRET).name == "ann"
        assert poolgate("apply -", stdin=document).stdout == "Added 0 and changed 0; 1 unchanged.\n"


class TestList:
    def test_for_people(self, poolgate, services):
        account = services.accounts.add("default", Account("", "x", "openai", "http://up.test"))
        poolgate(
            "key create --name ann --models gpt-5 --accounts x --expires 2027-01-01T18:30Z",
            *("--limit", "1000 total_tokens/day", "--limit", "5 usd/month"),
        )
        poolgate("team create red")
        poolgate("key create --name bob --team red --owner Bob --label env=prod --label x=1")
        poolgate("key disable bob")

        assert poolgate("key list").stdout.splitlines() == [
            "NAME  TEAM  OWNER  STATE     EXPIRES            MODELS  ACCOUNTS  LIMI"
            "TS                               LABELS",
            "ann   -     -      active    2027-01-01 18:30Z  gpt-5   x         1,000"
            " total_tokens/day; 5 usd/month  -",
            "bob   red   Bob    disabled  never              all     all       none"
            "                                 env=prod, x=1",
        ]
        poolgate("account remove x --force")
        assert f"{account.id} (removed)" in poolgate("key list").stdout

    def test_for_scripts(self, poolgate):
        poolgate("key create --name ann")

        listed = json.loads(poolgate("key list --json").stdout)

        assert [(one["name"], one["pool"], one["state"]) for one in listed["data"]] == [
            ("ann", "default", "active")
        ]

    def test_none(self, poolgate):
        result = poolgate("key list")

        assert (result.exit_code, result.stdout) == (0, "")
        assert "poolgate key create --help" in result.stderr

    def test_no_such_pool(self, poolgate):
        assert poolgate("key list --pool typo").stderr == "Error: There is no pool named 'typo'\n"


class TestDisable:
    def test_it_is_refused_at_once(self, poolgate, services):
        secret = poolgate("key create --name ann").stdout.strip()

        result = poolgate("key disable ann")

        assert result.stdout == "Disabled key 'ann' in pool 'default'.\n"
        with pytest.raises(InvalidApiKey, match="has been disabled"):
            services.api_keys.authenticate(secret)

    def test_json(self, poolgate):
        poolgate("key create --name ann")

        assert json.loads(poolgate("key disable ann --json").stdout)["state"] == "disabled"

    def test_an_unknown_name(self, poolgate):
        result = poolgate("key disable nobody")

        assert result.exit_code == 1
        assert result.stderr == "Error: There is no key named 'nobody' in pool 'default'\n"


class TestSet:
    def test_fields(self, poolgate, services):
        secret = poolgate("key create --name ann --models a").stdout.strip()

        result = poolgate(
            "key set ann --models b,c --on-cut restart --raw --expires 2030-01-01 --output-tokens 9"
        )

        assert result.exit_code == 0, result.output
        key = services.api_keys.authenticate(secret)
        assert (key.models, key.on_cut, key.raw, key.output_tokens) == (("b", "c"), "restart", True, 9)
        poolgate("key set ann --all-models --no-raw --expires never")
        key = services.api_keys.authenticate(secret)
        assert (key.models, key.raw, key.expires_at) == ((), False, None)

    def test_its_place_in_the_queue(self, poolgate, services):
        secret = poolgate("key create --name ann --queue-seconds 0 --weight 3").stdout.strip()
        key = services.api_keys.authenticate(secret)
        assert (key.queue_seconds, key.weight) == (0, 3)

        poolgate("key set ann --queue-seconds 300")
        assert services.api_keys.authenticate(secret).queue_seconds == 300
        poolgate("key set ann --queue-seconds default --weight 1")
        key = services.api_keys.authenticate(secret)
        assert (key.queue_seconds, key.weight) == (None, 1)

    @pytest.mark.parametrize(
        "options",
        [
            *("", "--models a --all-models", "--output-tokens 0", "--expires soon"),
            *("--queue-seconds 601", "--queue-seconds soon", "--queue-seconds -1"),
            *("--weight 0", "--weight 1001"),
        ],
    )
    def test_what_cannot_be(self, poolgate, options):
        poolgate("key create --name ann")

        assert poolgate(f"key set ann {options}").exit_code == 2


class TestRotate:
    def test_with_an_overlap(self, poolgate, services):
        old = poolgate("key create --name ann").stdout.strip()
        result = poolgate("key rotate ann --overlap 24h")

        assert "the old secret stays valid until" in result.stderr
        new = result.stdout.strip()
        assert services.api_keys.authenticate(old).id == services.api_keys.authenticate(new).id

    def test_at_once(self, poolgate, services):
        old = poolgate("key create --name ann").stdout.strip()
        rotated = json.loads(poolgate("key rotate ann --json").stdout)

        assert services.api_keys.authenticate(rotated["key"]).name == "ann"
        with pytest.raises(InvalidApiKey):
            services.api_keys.authenticate(old)

    @pytest.mark.parametrize("overlap", ["24", "soon", "91d", "-1h"])
    def test_no_such_time(self, poolgate, overlap):
        poolgate("key create --name ann")

        assert poolgate("key rotate ann --overlap", overlap).exit_code in (1, 2)


def test_enable_and_remove(poolgate, services):
    secret = poolgate("key create --name ann").stdout.strip()
    poolgate("key disable ann")
    assert poolgate("key enable ann").stdout == "Enabled key 'ann' in pool 'default'.\n"
    assert services.api_keys.authenticate(secret).name == "ann"

    assert poolgate("key remove ann").stdout == "Removed key 'ann' from pool 'default'.\n"
    assert poolgate("key remove ann").exit_code == 1


def test_who_did_it_is_audited(poolgate, services):
    poolgate("key create --name ann")

    entry = services.audit.page().entries[0]
    assert (entry["action"], entry["via"], entry["outcome"]) == ("key.create", "cli", "done")
    assert entry["who"]


class TestWarnings:
    """Nothing is refused for them, and they are on standard error: a key goes to standard output alone."""

    def test_of_a_new_key(self, poolgate, services):
        services.pools.ensure("default")
        services.accounts.add("default", Account("", "main", "openai", "http://x", models=("m",)))

        result = poolgate(
            "key create --name ann --expires 2020-01-01 --models nosuchmodel",
            *("--limit", "5 usd/month", "--limit", "5 usd/month"),
        )

        assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)
        assert "Warning: key 'ann': it has expired already, at 2020-01-01 00:00Z" in result.stderr
        assert "Warning: key 'ann': no account lists nosuchmodel." in result.stderr
        assert "these limits count the same" in result.stderr
        assert "expired" in poolgate("key list").stdout

    def test_of_a_changed_key(self, poolgate):
        poolgate("key create --name ann")

        assert "it has expired already" in poolgate("key set ann --expires 2020-01-01").stderr

    def test_of_a_limit_that_there_is(self, poolgate):
        poolgate("key create --name ann")

        first, second = (poolgate("key limit add ann", f"{max_usd} usd/month").stderr for max_usd in (5, 6))

        assert first == ""
        assert "Warning: these limits count the same" in second

    def test_of_limits_of_several(self, poolgate):
        """Each warning names its key."""
        for name in ("ann", "bob"):
            poolgate(f"key create --name {name} --limit", "5 usd/month")

        warnings = poolgate("key limit add ann bob", "6 usd/month").stderr.splitlines()

        assert [each.partition(": these limits count")[0] for each in warnings] == [
            "Warning: key 'ann'",
            "Warning: key 'bob'",
        ]

    def test_of_a_rotation_that_ends_an_earlier_secret(self, poolgate):
        poolgate("key create --name ann")

        first, second = (poolgate(f"key rotate ann --overlap {time}").stderr for time in ("24h", "1h"))

        assert "Warning" not in first
        assert "the secret that an earlier rotation left valid until" in second


class TestOwnerAndLabels:
    def test_set_and_filter(self, poolgate, services):
        poolgate("team create red")
        poolgate("key create --name ann --owner ann@example.com --label env=prod --label tier=2 --team red")
        poolgate("key create --name bob --owner bob@example.com --label env=test")
        poolgate("key create --name eve")

        def names(options):
            listed = json.loads(poolgate(f"key list --json {options}").stdout)
            return [one["name"] for one in listed["data"]]

        assert names("--label env") == ["ann", "bob"]
        assert names("--label env=prod --label tier") == ["ann"]
        assert names("--owner bob@example.com") == ["bob"]
        assert names("--team red") == ["ann"]
        assert names("--team red --label env=test") == []
        assert "No key in pool 'default' matches" in poolgate("key list --owner none").stderr
        assert poolgate("key list --label", "a b").exit_code == 2

        poolgate("key set ann --label tier= --label env=test --label new/x=1")
        assert dict(services.api_keys.find("default", "ann").labels) == {"env": "test", "new/x": "1"}
        poolgate("key set ann --label env= --label new/x=", "--owner", "")
        key = services.api_keys.find("default", "ann")
        assert (key.labels, key.owner) == ((), "")

    @pytest.mark.parametrize(
        "options",
        [
            ("--owner", "x" * 257),
            ("--owner", " x"),
            ("--label", "env"),
            ("--label", "env="),
            ("--label", "a b=c"),
            ("--label", "env=" + "x" * 129),
            ("--label", "env=a,b"),
            tuple(part for number in range(17) for part in ("--label", f"n{number}=x")),
        ],
    )
    def test_bad_input(self, poolgate, services, options):
        refused = poolgate("key create --name ann", *options)

        assert (refused.exit_code, len(refused.stderr.splitlines()) < 5) == (2, True), refused.stderr
        assert options[0].strip("-") in refused.stderr
        assert services.api_keys.all("default") == []


@pytest.mark.parametrize("command", ["key create --name ann", "key set ann"])
def test_a_label_that_is_named_twice(poolgate, command):
    result = poolgate(f"{command} --label env=prod --label env=test")

    assert result.exit_code == 2
    assert "names 'env' twice" in result.stderr
