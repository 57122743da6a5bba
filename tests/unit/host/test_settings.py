"""What the host's settings may be, and what is said of those that may not."""

from pathlib import Path

import pytest

from services.host.settings import WrongSetting, read_settings


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PAIDEIA_SECRETS_DIR": str(tmp_path),
        "PAIDEIA_POSTGRES_DSN": "postgresql://{role}@127.0.0.1:5432/paideia",
        "PAIDEIA_REDIS_URL": "redis://127.0.0.1",
        "PAIDEIA_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
        "PAIDEIA_TARGETS": "identity=127.0.0.1:7000",
    }


def test_keys_are_under_the_secret_unless_something_else_is_chosen(environment: dict[str, str]) -> None:
    assert read_settings(environment).resources.key_vaults == ("secret",)


def test_a_key_vault_is_chosen_with_what_it_needs(environment: dict[str, str]) -> None:
    chosen = {
        "PAIDEIA_KEY_VAULT": "transit, kms,secret",
        "PAIDEIA_TRANSIT_ADDRESS": "https://vault.example.org:8200",
        "PAIDEIA_TRANSIT_MOUNT": "platform/transit",
        "PAIDEIA_KMS_KEY": "alias/paideia",
        "PAIDEIA_KMS_REGION": "eu-central-1",
    }
    found = read_settings(environment | chosen).resources
    assert found.key_vaults == ("transit", "kms", "secret")
    assert (found.transit_address, found.transit_mount, found.transit_key) == (
        "https://vault.example.org:8200",
        "platform/transit",
        "paideia",
    )
    assert (found.kms_key, found.kms_region) == ("alias/paideia", "eu-central-1")


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({"PAIDEIA_KEY_VAULT": "vault"}, "PAIDEIA_KEY_VAULT"),
        ({"PAIDEIA_KEY_VAULT": ""}, "PAIDEIA_KEY_VAULT"),
        ({"PAIDEIA_KEY_VAULT": "secret,secret"}, "PAIDEIA_KEY_VAULT"),
        ({"PAIDEIA_KEY_VAULT": "transit"}, "PAIDEIA_TRANSIT_ADDRESS"),
        ({"PAIDEIA_KEY_VAULT": "transit", "PAIDEIA_TRANSIT_ADDRESS": "vault:8200"}, "PAIDEIA_TRANSIT_ADDRESS"),
        (
            {"PAIDEIA_KEY_VAULT": "transit", "PAIDEIA_TRANSIT_ADDRESS": "http://v", "PAIDEIA_TRANSIT_KEY": "../sys"},
            "PAIDEIA_TRANSIT_KEY",
        ),
        ({"PAIDEIA_KEY_VAULT": "kms"}, "PAIDEIA_KMS_KEY"),
        ({"PAIDEIA_KEY_VAULT": "kms", "PAIDEIA_KMS_KEY": "alias/paideia"}, "PAIDEIA_KMS_REGION"),
    ],
)
def test_a_wrong_key_vault_is_named(environment: dict[str, str], chosen: dict[str, str], named: str) -> None:
    with pytest.raises(WrongSetting, match=named):
        read_settings(environment | chosen)
