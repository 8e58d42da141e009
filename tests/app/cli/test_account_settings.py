"""Options of `poolgate account add` and `set` for the requests that an account is sent."""

from __future__ import annotations

import json

import pytest

from app.accounts.account import Account
from app.accounts.own_proxy import NO_PROXY, OwnProxy
from app.stores import keys
from tests.support.store_contents import everything_in
from tests.support.tls import make_certificate

SECRET = "t-secret-0123456789"


@pytest.fixture
def main(poolgate):
    poolgate("account add compatible --name main --base-url http://127.0.0.1:1/v1 --header X-Tenant=lab")


def settings(services):
    return services.accounts.find("default", "main").settings


class TestHeaders:
    def test_given_when_added(self, main, services):
        assert settings(services).headers == {"X-Tenant": "lab"}

    def test_changed_and_removed(self, main, poolgate, services):
        result = poolgate("account set main --header X-Org=a=b --header-env X-Token=VAR", VAR=SECRET)

        assert result.exit_code == 0
        assert result.stdout == "Changed account 'main' in pool 'default': headers, secret_headers.\n"
        assert settings(services).headers == {"X-Tenant": "lab", "X-Org": "a=b"}
        assert settings(services).secret_headers == {"X-Token": SECRET}

        poolgate("account set main --remove-header x-org --remove-header x-token")
        assert settings(services).headers == {"X-Tenant": "lab"}
        assert settings(services).secret_headers == {}

    def test_secrets_are_nowhere(self, main, poolgate, redis_client):
        """The names are shown and audited, the values are not: neither printed nor stored in clear."""
        printed = poolgate("account set main --json --header-env X-Token=VAR", VAR=SECRET).output
        printed += poolgate("account list --json").output + poolgate("audit --json").output

        assert SECRET not in printed
        assert SECRET not in everything_in(redis_client)
        assert '"secret_headers": "X-Token"' in printed
        [listed] = json.loads(poolgate("account list --json").stdout)["data"]
        assert (listed["headers"], listed["secret_headers"]) == ({"X-Tenant": "lab"}, ["X-Token"])

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--header Host=x", "headers.Host is set by the gateway itself"),
            ("--header Content-Length=1", "is set by the gateway itself"),
            ("--header Authorization=x", "holds a secret: give it as a secret header"),
            ("--header X-Tenant", "--header must be NAME=VALUE"),
            ("--header X(a=b", "must be the name of a header"),
            ("--header-env X-Token=MISSING", "MISSING is not set"),
            ("--auth-header content-type", "--auth-header is set by the gateway itself"),
        ],
    )
    def test_refused(self, main, poolgate, services, option, message):
        result = poolgate(f"account set main {option}")

        assert result.exit_code != 0
        assert message in result.stderr
        assert settings(services).headers == {"X-Tenant": "lab"}

    def test_too_many(self, main, poolgate):
        poolgate("account set main", *(f"--header=H-{n}=x" for n in range(31)))

        result = poolgate("account set main --header H-31=x")

        assert "An account has at most 32 headers of its own" in result.stderr


class TestAuthHeader:
    def test_set_and_taken_back(self, main, poolgate, services):
        poolgate("account set main --auth-header api-key")
        assert settings(services).auth_header == "api-key"

        poolgate("account set main --auth-header default")
        assert settings(services).auth_header == ""

    def test_not_of_a_sign_in(self, poolgate):
        result = poolgate(
            "account add chatgpt --name ann --account-id x --access-token-env VAR --auth-header api-key",
            VAR="token",
        )

        assert "sends its token as its service requires it" in result.stderr


class TestWebSocket:
    def test_set_and_audited(self, poolgate, services):
        poolgate("account add openai --name main --api-key-stdin", stdin="sk-1\n")
        result = poolgate("account set main --websocket on")

        assert result.stdout == "Changed account 'main' in pool 'default': websocket.\n"
        assert settings(services).websocket == "on"
        assert json.loads(poolgate("audit --json").stdout)["data"][0]["after"]["websocket"] == "on"

    def test_of_a_kind_without_it(self, main, poolgate, services):
        result = poolgate("account set main --websocket on")

        assert result.exit_code != 0
        assert "Only accounts of kind openai and chatgpt use WebSocket" in result.stderr
        assert settings(services).websocket == "off"


class TestModelNames:
    def test_set_and_removed(self, main, poolgate, services):
        """The options of one command add to what is stored."""
        result = poolgate("account set main --map gpt-5=dep --map o3=o3=x --response-model upstream")
        assert result.stdout == "Changed account 'main' in pool 'default': model_names, response_model.\n"
        assert settings(services).model_names == {"gpt-5": "dep", "o3": "o3=x"}
        assert settings(services).response_model == "upstream"

        poolgate("account set main --map gpt-5=other --unmap o3 --response-model requested")
        assert settings(services).model_names == {"gpt-5": "other"}
        assert settings(services).headers == {"X-Tenant": "lab"}

    def test_given_when_added(self, poolgate, services):
        poolgate(
            "account add compatible --name main --base-url http://127.0.0.1:1/v1 --models a --map gpt-5=dep"
        )

        account = services.accounts.find("default", "main")
        assert (account.models, account.served_models) == (("a",), ("a", "gpt-5"))
        assert "a, gpt-5" in poolgate("account list").stdout

    def test_audited(self, main, poolgate):
        poolgate("account set main --map gpt-5=dep")

        newest = json.loads(poolgate("audit --json").stdout)["data"][0]
        assert newest["after"]["model_names"] == {"gpt-5": "dep"}

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--map gpt-5", "--map must be MODEL=NAME"),
            ("--map gpt-5=a --map gpt-5=b", "--map names 'gpt-5' twice"),
            ("--unmap gone", "--unmap: the account has no 'gone'"),
            ("--undrop gone", "--undrop: the account has no 'gone'"),
            ("--unset gone", "--unset: the account has no 'gone'"),
            ("--remove-header X-Gone", "--remove-header: the account has no 'X-Gone'"),
            ("--map gpt-*=dep", "model_names.gpt-* must be a name, not a pattern"),
            (f"--map gpt-5={'x' * 257}", "model_names.gpt-5 must have 1 to 256 characters"),
            ("--response-model other", "is not one of 'requested', 'upstream'"),
        ],
    )
    def test_refused(self, main, poolgate, services, option, message):
        result = poolgate(f"account set main {option}")

        assert result.exit_code != 0
        assert message in result.stderr
        assert settings(services).model_names == {}

    def test_too_many(self, main, poolgate):
        poolgate("account set main", *(f"--map=m{n}=x" for n in range(256)))

        result = poolgate("account set main --map one-more=x")

        assert "An account has at most 256 names of models" in result.stderr


class TestFields:
    def test_set_and_taken_back(self, main, poolgate, services):
        """The options of one command add to what is stored."""
        result = poolgate(
            "account set main --drop reasoning_effort --drop user --set temperature=0.2",
            '--set=provider={"order":["a=b"]}',
        )
        assert result.stdout == "Changed account 'main' in pool 'default': drop_fields, set_fields.\n"
        assert settings(services).drop_fields == ("reasoning_effort", "user")
        assert settings(services).set_fields == {"temperature": 0.2, "provider": {"order": ["a=b"]}}

        poolgate("account set main --undrop user --drop top_p --unset provider --set top_k=4")
        assert settings(services).drop_fields == ("reasoning_effort", "top_p")
        assert settings(services).set_fields == {"temperature": 0.2, "top_k": 4}

        poolgate(
            "account set main --undrop reasoning_effort --undrop top_p --unset temperature --unset top_k"
        )
        assert settings(services).public()["drop_fields"] == []
        assert settings(services).set_fields == {}

    def test_audited(self, main, poolgate):
        poolgate("account set main --drop user --set temperature=0.2")

        after = json.loads(poolgate("audit --json").stdout)["data"][0]["after"]
        assert (after["drop_fields"], after["set_fields"]) == (["user"], {"temperature": 0.2})

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--drop messages", "'messages' cannot be left out: it is the input"),
            ("--drop Max-Tokens", "'Max-Tokens' cannot be left out: it limits the length of the response"),
            ("--set n=2", "'n' cannot be set: it chooses the number of responses"),
            ("--set stream=false", "'stream' cannot be set: it chooses how the response is sent"),
            ("--set tools=[]", "'tools' cannot be set: it adds input that limits do not count"),
            ('--set options={"num_predict":9}', "its member 'num_predict' chooses the model, the length"),
            ("--drop a.b", "must be the name of a field, without a path"),
            ("--set a.b=1", "set_fields.a.b must be the name of a field"),
            ("--set a=[[[[[[1]]]]]]", "set_fields.a must have at most 5 levels"),
            ("--set temperature=warm", "must be FIELD=JSON such as temperature=0.2"),
            ("--set temperature=null", "does not take null"),
            ("--drop a --set a=1", "'a' cannot be both left out and set"),
            (f'--set a="{"x" * 4096}"', "at most 16 fields, of 4096 bytes together"),
            ("--map m=m:online", "'m:online' searches, which adds input that limits do not count"),
        ],
    )
    def test_refused(self, main, poolgate, services, option, message):
        result = poolgate("account set main", *option.split())

        assert result.exit_code != 0
        assert message in result.stderr
        assert settings(services).drop_fields == ()
        assert settings(services).set_fields == {}

    def test_too_many(self, main, poolgate):
        for option, message in (
            ("--set=f{}=1", "sets at most 16 fields"),
            ("--drop=g{}", "at most 16 names"),
        ):
            assert poolgate("account set main", *map(option.format, range(16))).exit_code == 0

            result = poolgate("account set main", option.format("16"))
            assert message in result.stderr


class TestTimeouts:
    def test_set_and_taken_back(self, main, poolgate, services):
        result = poolgate("account set main --timeout 300 --first-token-timeout 90.5 --connect-timeout 2")
        assert "timeout_seconds, first_token_timeout_seconds, connect_timeout_seconds" in result.stdout
        own = settings(services)
        assert (own.timeout_seconds, own.first_token_timeout_seconds) == (300, 90.5)
        assert own.connect_timeout_seconds == 2

        poolgate("account set main --timeout default --first-token-timeout 0 --connect-timeout default")
        own = settings(services)
        assert (own.timeout_seconds, own.first_token_timeout_seconds, own.connect_timeout_seconds) == (
            0,
            0,
            0,
        )

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--timeout soon", "must be a number of seconds or default"),
            ("--timeout nan", "must be a number of seconds or default"),
            ("--timeout=-1", "timeout_seconds must be 0.1 to 86400 seconds"),
            ("--first-token-timeout 86401", "first_token_timeout_seconds must be 0.1 to 86400 seconds"),
            ("--connect-timeout 61", "connect_timeout_seconds must be 0.1 to 60 seconds"),
        ],
    )
    def test_refused(self, main, poolgate, option, message):
        result = poolgate(f"account set main {option}")

        assert result.exit_code != 0
        assert message in result.stderr


class TestCertificates:
    @pytest.fixture
    def pem(self, tmp_path):
        return make_certificate(tmp_path)[0]

    @pytest.fixture
    def tls(self, poolgate):
        poolgate("account add compatible --name main --base-url https://127.0.0.1:1/v1")

    def test_stored_and_removed(self, tls, poolgate, services, pem):
        """The content of the file, without what is around the certificates; the audit log has a digest."""
        text = pem.read_text()
        pem.write_text(f"A comment\n{text}{text}")

        assert poolgate(f"account set main --ca-file {pem}").exit_code == 0
        assert settings(services).ca_certificates == text * 2
        after = json.loads(poolgate("audit --json").stdout)["data"][0]["after"]
        assert after["ca_certificates"].startswith("sha256:")

        poolgate("account set main --remove-ca-file")
        assert settings(services).ca_certificates == ""

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "must be certificates in PEM"),
            ("hello", "must be certificates in PEM"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "cannot be read"),
            ("-----BEGIN CERTIFICATE-----\nAA=AA\n-----END CERTIFICATE-----", "cannot be read"),
            ("-----BEGIN EC PRIVATE KEY-----", "must have no private key"),
            ("x" * 40_000, "must have at most 32768 characters"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" * 17,
                "at most 16 certificates",
            ),
        ],
        ids=range(7),
    )
    def test_refused(self, tls, poolgate, services, tmp_path, content, message):
        (tmp_path / "ca.pem").write_text(content)

        result = poolgate(f"account set main --ca-file {tmp_path / 'ca.pem'}")

        assert result.exit_code != 0
        assert "ca_certificates" in result.stderr
        assert message in result.stderr
        assert settings(services).ca_certificates == ""

    def test_no_file(self, tls, poolgate):
        result = poolgate("account set main --ca-file /nowhere.pem")

        assert "/nowhere.pem: No such file or directory" in result.stderr

    def test_of_a_server_without_tls(self, main, poolgate, pem):
        result = poolgate(f"account set main --ca-file {pem}")

        assert "the base URL is http" in result.stderr


class TestProxy:
    URL = f"http://ann:{SECRET}@127.0.0.1:9"

    def test_set_and_removed(self, main, poolgate, services):
        poolgate("account set main --proxy socks5h://ann@10.0.0.9:1080/")
        assert settings(services).proxy == OwnProxy("socks5h://ann@10.0.0.9:1080")

        result = poolgate("account set main --proxy-env VAR", VAR=self.URL)
        assert result.stdout == "Changed account 'main' in pool 'default': proxy.\n"
        assert settings(services).proxy == OwnProxy("http://ann@127.0.0.1:9", True, SECRET)
        assert settings(services).proxy.full_url == self.URL

        poolgate("account set main --proxy default")
        assert settings(services).proxy == NO_PROXY

    def test_given_when_added(self, poolgate, services):
        url = f"http://ann:{SECRET}@127.0.0.1:1"

        poolgate("account add openai --name main --api-key-env KEY --proxy-env VAR", KEY="sk-1", VAR=url)

        assert settings(services).proxy.full_url == url

    def test_its_password_is_nowhere(self, main, poolgate, redis_client):
        """It is neither printed nor audited, nor stored in clear."""
        printed = poolgate("account set main --json --proxy-env VAR", VAR=self.URL).output
        printed += poolgate("account list --json").output + poolgate("audit --json").output

        assert SECRET not in printed
        assert SECRET not in everything_in(redis_client)
        assert '"proxy_password": "replaced"' in printed
        [listed] = json.loads(poolgate("account list --json").stdout)["data"]
        assert (listed["proxy"], listed["proxy_has_password"]) == ("http://ann@127.0.0.1:9", True)

    def test_the_password_stays_while_the_rest_does(self, main, poolgate, services):
        """Also while secret headers change; another address has none."""
        poolgate("account set main --proxy-env VAR --header-env X-Token=TOKEN", VAR=self.URL, TOKEN="t-1")

        poolgate("account set main --proxy http://ann@127.0.0.1:9 --remove-header X-Token")
        assert settings(services).proxy.full_url == self.URL
        assert settings(services).secret_headers == {}

        poolgate("account set main --proxy http://ann@10.0.0.8:3128")
        assert settings(services).proxy == OwnProxy("http://ann@10.0.0.8:3128")

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            (f"--proxy {URL}", "holds a password: give the URL by --proxy-env"),
            (
                "--proxy ftp://10.0.0.9",
                "must be a URL with a host, and of http, https, socks5, socks5h",
            ),
            ("--proxy 127.0.0.1:9", "proxy must be a URL with a host"),
            ("--proxy http://10.0.0.9:99999", "proxy must be a URL with a host and a port that exist"),
            ("--proxy http://10.0.0.9/path", "proxy must be a URL without a path"),
            ("--proxy http://169.254.169.254:80", "proxy must not be a link-local address"),
            ("--proxy http://@10.0.0.9", "proxy must have a user name"),
            (f"--proxy http://{'x' * 2048}", "proxy must be an ASCII URL of at most 2048 characters"),
            ("--proxy http://10.0.0.9 --proxy-env VAR", "Give one of --proxy and --proxy-env"),
            ("--proxy-env MISSING", "MISSING is not set"),
        ],
    )
    def test_refused(self, main, poolgate, services, option, message):
        result = poolgate(f"account set main {option}", VAR=self.URL)

        assert result.exit_code != 0
        assert message in result.stderr
        assert SECRET not in result.output
        assert settings(services).proxy == NO_PROXY

    def test_an_unreadable_password(self, main, poolgate, services, redis_client):
        """It is given again together with the API key."""
        poolgate("account set main --proxy-env VAR", VAR=self.URL)
        account = keys.account("default", services.accounts.find("default", "main").id)
        redis_client.hset(account, "secrets", "gAAAAAunreadable")

        refused = poolgate("account set main --api-key-env KEY", KEY="sk-1")
        assert "The password of the proxy cannot be read here" in refused.stderr

        poolgate("account set main --api-key-env KEY --proxy-env VAR", KEY="sk-1", VAR=self.URL)
        assert settings(services).proxy.full_url == self.URL


class TestUnreadable:
    def test_new_values_replace_those_that_cannot_be_read(self, main, poolgate, services, redis_client):
        poolgate("account set main --header-env X-Token=VAR", VAR=SECRET)
        account = keys.account("default", services.accounts.find("default", "main").id)
        redis_client.hset(account, "secrets", "gAAAAAunreadable")

        refused = poolgate("account set main --api-key-env VAR", VAR="sk-1")
        assert "The values of X-Token cannot be read here" in refused.stderr

        poolgate("account set main --api-key-env VAR --header-env X-Token=VAR", VAR="sk-1")
        assert settings(services).secret_headers == {"X-Token": "sk-1"}


def test_a_field_that_resembles_a_known_one(poolgate, services):
    """It is set or dropped all the same, since a server may know it."""
    services.accounts.add("default", Account("", "gpu1", "openai", "http://127.0.0.1:1/v1"))

    result = poolgate("account set gpu1 --drop reasoning_efort --set temperature=1 --set x_own=1")

    assert result.exit_code == 0
    assert result.stderr.count("Warning: ") == 1
    assert "'reasoning_efort' that the gateway knows (did you mean 'reasoning_effort'" in result.stderr
