"""`poolgate ops`."""

from __future__ import annotations

from cryptography.fernet import Fernet

from app.accounts.account import Account
from tests.app.cli.conftest import VAULT_KEY


def test_reseal(poolgate, services):
    """The old key is reported as needed as long as it is, by `poolgate doctor` as well."""
    services.pools.ensure("default")
    services.accounts.add("default", Account("", "main", "openai", "http://x", credential="sk-1"))
    new = Fernet.generate_key().decode()
    both = {"POOLGATE_SECRET_KEYS": f"{new},{VAULT_KEY}"}
    assert "1 credential is still encrypted with an old key" in poolgate("doctor", **both).stdout

    first, second = poolgate("ops reseal", **both), poolgate("ops reseal", **both)

    assert (first.exit_code, first.stdout) == (0, "Encrypted 1 of 1 credential with the newest key.\n")
    assert "The 1 older keys are no longer needed" in first.stderr
    assert second.stdout == "Encrypted 0 of 1 credential with the newest key.\n"
    assert "old key" not in poolgate("doctor", **both).stdout
    assert poolgate("ops reseal", POOLGATE_SECRET_KEYS=new).stderr == (
        "There is only one key, and every credential is encrypted with it.\n"
    )


def test_reseal_without_the_old_key(poolgate, services):
    services.accounts.add("default", Account("", "main", "openai", "http://x", credential="sk-1"))
    services.pools.ensure("default")

    result = poolgate("ops reseal", POOLGATE_SECRET_KEYS=Fernet.generate_key().decode())

    assert result.exit_code == 1
    assert "No key decrypts these" in result.stderr


def test_files(poolgate):
    for name in ("grafana", "alerts", "unit"):
        assert poolgate(f"ops {name}").exit_code == 0
