"""An installation's settings: what a wrong one is answered."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from deployment.manifests import manifests
from deployment.settings import WrongSetting, installation_from

from tests.unit.k8s.cluster import ROOT, overlay


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"image": "example.org/paideia:latest"}, "image: must name a release"),
        ({"image": "example.org/paideia"}, "image: must name a release"),
        ({"colour": "red"}, "unknown colour"),
        ({"kafka": 9092}, "kafka must be of the kind str"),
        ({"pool_size": True}, "pool_size must be of the kind int"),
        ({"namespace": "Paideia"}, "namespace: must be a DNS label"),
        ({"public_url": "http://learn.example.org"}, "public_url: must look like https://"),
        ({"postgres_tls": "yes"}, "postgres_tls: must be one of"),
        ({"postgres": "mysql://x"}, "PAIDEIA_POSTGRES_DSN: must look like"),
        ({"postgres_connections": 50}, "connections to PostgreSQL"),
        ({"processes": [{"contexts": ["identity"]}]}, "missing: analytics"),
        ({"processes": [{"contexts": ["identity", "identity"]}]}, "name each context once"),
        ({"processes": [{"contexts": ["moon"]}]}, "there is no context 'moon'"),
        ({"processes": [{"contexts": "identity"}]}, "contexts must be a list"),
        ({"processes": [{"replicas": 2}]}, "processes.contexts: is not set"),
        ({"integrations": {"cpu": "-1"}}, "cpu of integrations must be like"),
        ({"integrations": {"replicas": 0}}, "no sensible replicas"),
        ({"edge": {"service": "Ingress"}}, "edge.service: must be"),
        ({"edge": {"addresses": ["everywhere"]}}, "edge.addresses: 'everywhere' is no network"),
        ({"networks": {}}, "networks.postgres: is not set"),
        ({"collector": "10.0.0.1:4317"}, "networks.collector: is not set"),
        ({"certificate_issuer": {"kind": "Pope", "name": "x"}}, "certificate_issuer: must hold kind"),
        ({"environment": {"PAIDEIA_COLOUR": "red"}}, "nothing reads PAIDEIA_COLOUR"),
        ({"environment": {"PAIDEIA_LOG_LEVEL": "loud"}}, "PAIDEIA_LOG_LEVEL: must be one of"),
        ({"environment": {"PAIDEIA_KEY_VAULT": "kms"}}, "networks.key_vault: is not set"),
        ({"environment": {"PAIDEIA_POOL_SIZE": 7}}, "environment.PAIDEIA_POOL_SIZE: must be a text in quotes"),
        ({"environment": []}, "must be a mapping"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(WrongSetting) as refusal:
        manifests(installation_from(overlay("small") | changes))
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["image", "public_url", "postgres", "kafka", "networks"])
def test_what_has_no_default_must_be_set(name: str) -> None:
    values = overlay("small")
    del values[name]
    with pytest.raises(WrongSetting, match=f"{name}: is not set"):
        installation_from(values)


def test_the_generator_answers_with_one_sentence(
    generate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ROOT / "k8s" / "overlays" / "small.yaml"
    assert generate.main(["--settings", str(small), "--image", "paideia:latest", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("k8s/generate.py: image: must name a release")
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_generator_writes_the_parts_in_the_order_in_which_they_are_applied(generate: ModuleType, tmp_path: Path) -> None:
    small = ROOT / "k8s" / "overlays" / "small.yaml"
    assert generate.main(["--settings", str(small), "--image", "example.org/paideia:9.9", "--out", str(tmp_path)]) == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "1-foundation.yaml",
        "2-release.yaml",
        "3-workloads.yaml",
        "4-contract.yaml",
    ]
