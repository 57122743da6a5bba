"""What the table of needs says is what the code of the contexts asks for."""

import re
from collections.abc import Iterator

import pytest
from deployment.needs import CONTEXTS, IDENTITY, REDIS, S3, SECRETS, SMTP
from deployment.settings import Process
from deployment.workloads import workloads

from services.host.host import CONTEXTS as SERVED
from tests.unit.k8s.cluster import ROOT, cluster, overlay


def sources(*folders: str) -> str:
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    return "\n".join(file.read_text() for file in files)


def test_every_context_that_can_be_served_is_in_it() -> None:
    assert set(CONTEXTS) == set(SERVED)


@pytest.mark.parametrize("context", sorted(SERVED))
def test_a_context_calls_whom_it_has_a_stub_for(context: str) -> None:
    stubs = r"^from paideia\.(\w+)\.v1\.\w+_service_pb2_grpc import (?:\([^)]*|[^\n]*)Stub"
    called = set(re.findall(stubs, sources(f"adapters/{context}", f"services/{context}"), re.MULTILINE))
    assert set(CONTEXTS[context].calls) == called - {IDENTITY}


@pytest.mark.parametrize("context", sorted(SERVED))
def test_a_context_uses_the_stores_that_its_container_opens(context: str) -> None:
    container = sources(f"services/{context}")
    asked = {
        S3: r"\b(personal_files|s3_client)\(",
        REDIS: r"resources\.redis\(\)",
        SMTP: r"settings\.smtp_url",
    }
    used = {store for store, pattern in asked.items() if re.search(pattern, container)}
    assert {store for store in CONTEXTS[context].stores if store in asked} == used


@pytest.mark.parametrize("context", sorted(SERVED))
def test_a_context_is_given_every_secret_that_it_reads(context: str) -> None:
    read = set(re.findall(r'\bsecret\("(\w+)"\)', sources(f"adapters/{context}", f"services/{context}", "services/host")))
    everything = {"PAIDEIA_KEY_VAULT": "secret,transit", "PAIDEIA_BOOTSTRAP_ORGANIZATION": "school"}
    installation = cluster("small").installation
    alone = type(installation)(
        **{
            **{name: getattr(installation, name) for name in type(installation).__dataclass_fields__},
            "processes": tuple(Process((each,)) for each in SERVED),
            "postgres_connections": 10_000,
            "networks": {**installation.networks, "key_vault": installation.networks["s3"]},
            "environment": {**installation.environment, **everything},
        }
    )
    (workload,) = [each for each in workloads(alone) if each.contexts == (context,)]
    assert read <= {*workload.secrets, *workload.optional_secrets}


@pytest.mark.parametrize("context", sorted(SERVED))
def test_a_context_holds_as_many_connections_as_it_has_pools(context: str) -> None:
    container = sources(f"services/{context}")
    pools, more = CONTEXTS[context].connections
    assert pools == sum(bool(re.search(rf"resources\.{kind}\(", container)) for kind in ("engine", "pool"))
    own = sum(int(count) for count in re.findall(r"^_[A-Z_]+_CONNECTIONS = (\d+)$", container, re.MULTILINE))
    # The outbox relay has one more.
    assert more >= own + ("publishes=True" in container)


def test_the_context_map_draws_the_same_calls() -> None:
    drawn = set(_drawn((ROOT / "docs" / "context-map.md").read_text()))
    assert drawn == {(caller, called) for caller, needs in CONTEXTS.items() for called in needs.calls}


def _drawn(text: str) -> Iterator[tuple[str, str]]:
    for caller, called in re.findall(r'^  (\w+) -- "\w+" --> ([\w &]+)$', text, re.MULTILINE):
        for each in called.split("&"):
            yield caller, each.strip()


def test_the_docs_list_every_secret_and_what_it_is() -> None:
    docs = (ROOT / "docs" / "kubernetes.md").read_text()
    for key, what in SECRETS.items():
        assert f"| `{key}` | {what} |" in docs


def test_an_overlay_names_no_secret() -> None:
    for name in ("small", "large"):
        assert not set(SECRETS) & set(overlay(name)["environment"])
