"""Operators as stored: names, the first start, and codes that are valid once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from argon2 import PasswordHasher
from cryptography.fernet import Fernet

from app.errors import GatewayError, InvalidRequest, NotFound
from app.operators import passwords, totp
from app.operators.operators import Operators
from app.stores import keys
from app.stores.operators import START_SECONDS, OperatorRepository
from app.stores.records.operators import checked_name
from app.stores.scripts import Scripts
from app.stores.secrets import UnreadableSecret, Vault
from tests.support.authenticator import Authenticator

GOOD = "correct horse battery"


@pytest.fixture
def operators(redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> Operators:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    repository = OperatorRepository(Scripts(redis_client), Vault((Fernet.generate_key().decode(),)))
    return Operators(repository)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> int:
    """The time of the second factor, which stands still."""
    monkeypatch.setattr(totp, "now", lambda: 1_800_000_000)
    return 1_800_000_000


@pytest.mark.parametrize(
    ("typed", "normalized"), [("ann", "ann"), (" Ann.B@x.test ", "ann.b@x.test"), ("a" * 64, "a" * 64)]
)
def test_a_name(typed, normalized):
    assert checked_name(typed) == normalized


@pytest.mark.parametrize(
    "typed", ["", " ", "-a", "a b", "a:b", "token:ci", "{a}", "a" * 65, "ä", "a\n b", "."]
)
def test_what_is_no_name(typed):
    with pytest.raises(InvalidRequest) as error:
        checked_name(typed)
    assert error.value.param == "name"


class TestFirstStart:
    def test_a_token_expires(self, operators, redis_client):
        operators.new_start_token()

        assert 0 < redis_client.ttl(keys.start_token()) <= START_SECONDS

    def test_of_many_at_once_one_gets_in(self, operators):
        """A token makes one operator, however many use it at the same moment."""
        token = operators.new_start_token()

        def start(number: int) -> bool:
            try:
                operators.create_first(token, f"op{number}", GOOD)
            except GatewayError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            came_in = list(pool.map(start, range(6)))

        assert came_in.count(True) == 1
        assert len(operators.all()) == 1

    def test_none_is_given_out_afterwards(self, operators):
        operators.create("ann", GOOD)

        assert operators.new_start_token() is None

    def test_an_issued_token_is_void_once_an_operator_exists(self, operators):
        token = operators.new_start_token()
        operators.create("ann", GOOD)

        with pytest.raises(InvalidRequest, match="is not the one"):
            operators.create_first(token, "eve", GOOD)


class TestOperators:
    def test_one_name_is_one_operator(self, operators):
        operators.create("ann", GOOD)

        with pytest.raises(InvalidRequest, match="another operator's"):
            operators.create("Ann", GOOD)

    def test_unknown_operators_are_not_changed(self, operators, redis_client):
        for change in (
            lambda: operators.set_password("eve", GOOD),
            lambda: operators.remove_second_factor("eve"),
            lambda: operators.begin_second_factor("eve"),
            lambda: operators.remove("eve"),
            lambda: operators.find("eve"),
        ):
            with pytest.raises(NotFound):
                change()
        assert not redis_client.exists(keys.operator("eve"))

    def test_the_output_has_no_secret(self, operators, at):
        operators.create("ann", GOOD)
        secret = operators.begin_second_factor("ann")
        operators.confirm_second_factor("ann", Authenticator(secret).at(at))

        shown = str(operators.find("ann").public()) + repr(operators.all())
        assert "argon2" not in shown
        assert secret not in shown


class TestSecondFactor:
    def test_it_is_sealed(self, operators, redis_client, at):
        operators.create("ann", GOOD)
        secret = operators.begin_second_factor("ann")
        codes = operators.confirm_second_factor("ann", Authenticator(secret).at(at))

        stored = str(redis_client.hgetall(keys.operator("ann")))
        assert secret not in stored
        assert not any(one in stored for one in codes)

    def test_one_of_many_equal_codes_at_once_counts(self, operators, at, monkeypatch):
        operators.create("ann", GOOD)
        secret = operators.begin_second_factor("ann")
        operators.confirm_second_factor("ann", Authenticator(secret).at(at))
        monkeypatch.setattr(totp, "now", lambda: at + 30)
        code = Authenticator(secret).at(at + 30)

        with ThreadPoolExecutor(2) as pool:
            entered = list(pool.map(lambda _: operators.authenticate("ann", GOOD, code), range(6)))

        assert entered.count(True) == 1

    def test_one_of_many_equal_recovery_codes_at_once_counts(self, operators, at):
        operators.create("ann", GOOD)
        secret = operators.begin_second_factor("ann")
        code = operators.confirm_second_factor("ann", Authenticator(secret).at(at))[3]

        with ThreadPoolExecutor(2) as pool:
            entered = list(pool.map(lambda _: operators.authenticate("ann", GOOD, code), range(6)))

        assert entered.count(True) == 1

    @pytest.mark.parametrize(
        "code", ["", " ", "123456", "12345", "１２３４５６", "abcdef", "000000-", "x" * 5000]
    )
    def test_what_is_no_code(self, operators, at, code):
        operators.create("ann", GOOD)
        secret = operators.begin_second_factor("ann")
        operators.confirm_second_factor("ann", Authenticator(secret).at(at))

        assert not operators.authenticate("ann", GOOD, code)

    def test_a_code_is_not_spent_by_a_wrong_password(self, operators, at, monkeypatch):
        operators.create("ann", GOOD)
        secret = operators.begin_second_factor("ann")
        operators.confirm_second_factor("ann", Authenticator(secret).at(at))
        monkeypatch.setattr(totp, "now", lambda: at + 60)
        code = Authenticator(secret).at(at + 60)

        assert not operators.authenticate("ann", "wrong", code)
        assert operators.authenticate("ann", GOOD, code)

    @pytest.mark.parametrize(
        ("drift", "counts"), [(-90, False), (-30, True), (0, True), (30, True), (90, False)]
    )
    def test_a_phone_whose_clock_is_off(self, at, drift, counts):
        """RFC 6238 lets one step pass."""
        secret = totp.new_secret()

        assert (totp.find_step(secret, Authenticator(secret).at(at + drift)) is not None) is counts

    @pytest.mark.parametrize(
        ("seconds", "code"),
        [
            (59, "287082"),
            (1111111109, "081804"),
            (1111111111, "050471"),
            (1234567890, "005924"),
            (2000000000, "279037"),
            (20000000000, "353130"),
        ],
    )
    def test_codes_are_those_of_the_standard(self, monkeypatch, seconds, code):
        """Source: https://www.rfc-editor.org/rfc/rfc6238#appendix-B , the last six of eight digits."""
        monkeypatch.setattr(totp, "now", lambda: seconds)

        assert totp.find_step("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", code) == seconds // 30

    def test_a_secret_of_a_former_version(self, at):
        """Earlier versions made secrets and codes with the library pyotp."""
        assert totp.find_step("BMW7K2Q5CNHVZRUHH5ITUGMPGMD52GQW", "851721") == at // 30

    def test_what_an_authenticator_app_scans(self):
        uri = urlsplit(totp.provisioning_uri("BMW7K2Q5CNHVZRUHH5ITUGMPGMD52GQW", "ann@x.test"))

        assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Poolgate:ann%40x.test")
        assert dict(parse_qsl(uri.query)) == {
            "secret": "BMW7K2Q5CNHVZRUHH5ITUGMPGMD52GQW",
            "issuer": "Poolgate",
            "algorithm": "SHA1",
            "digits": "6",
            "period": "30",
        }

    def test_sealed_with_a_key_that_is_lost(self, operators, redis_client, at):
        """Sign-in is refused without the code, because the secret cannot be decrypted."""
        operators.create("ann", GOOD)
        secret = operators.begin_second_factor("ann")
        operators.confirm_second_factor("ann", Authenticator(secret).at(at))
        vault = Vault((Fernet.generate_key().decode(),))
        other = Operators(OperatorRepository(Scripts(redis_client), vault))

        with pytest.raises(UnreadableSecret):
            other.authenticate("ann", GOOD, "123456")
