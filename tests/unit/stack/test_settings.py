"""What can be chosen about a stack, and what is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.home import Home, find_home
from stack.settings import Group, Ports, StackSettings, WrongSetting

NAMES = st.lists(
    st.sampled_from(
        ["identity", "catalog", "assessment", "progress", "scheduler", "paths", "ingestion", "analytics", "audit", "inference"]
    ),
    min_size=1,
    unique=True,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


@given(NAMES, st.data())
def test_processes_are_read_as_they_were_meant(names: list[str], data: st.DataObject) -> None:
    groups: list[Group] = []
    rest = list(names)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        groups.append(Group(tuple(rest[:size]), data.draw(st.integers(1, 3))))
        rest = rest[size:]
    text = "; ".join(", ".join(group.contexts) + (f"*{group.replicas}" if group.replicas > 1 else "") for group in groups)
    assert StackSettings(processes=text).groups == tuple(groups)


@pytest.mark.parametrize(
    "text", ["", ";", "identity,identity", "identity;identity", "identity*0", "identity*x", "../x", "identity*30"]
)
def test_processes_that_make_no_sense_are_refused_by_the_name_of_the_setting(text: str) -> None:
    with pytest.raises(WrongSetting, match="PAIDEIA_PROCESSES"):
        StackSettings(processes=text)


@pytest.mark.parametrize("value", ["x", "80", "70000", "65500"])
def test_a_port_that_cannot_be_is_refused_by_the_name_of_the_setting(home: Home, value: str) -> None:
    with pytest.raises(WrongSetting, match="PAIDEIA_PORT_BASE"):
        StackSettings.read(home, {"PAIDEIA_PORT_BASE": value})


def test_an_unknown_storage_is_refused_by_the_name_of_the_setting(home: Home) -> None:
    with pytest.raises(WrongSetting, match="PAIDEIA_BROKER_STORAGE"):
        StackSettings.read(home, {"PAIDEIA_BROKER_STORAGE": "tape"})


def test_what_is_chosen_wins_over_the_environment_and_that_over_the_last_start(home: Home) -> None:
    StackSettings(port_base=9000, organization="north").write(home)
    assert StackSettings.read(home, {}).port_base == 9000
    assert StackSettings.read(home, {"PAIDEIA_PORT_BASE": "9100"}).port_base == 9100
    settings = StackSettings.read(home, {"PAIDEIA_PORT_BASE": "9100"}, port_base=9200, organization=None)
    assert (settings.port_base, settings.organization) == (9200, "north")


def test_what_another_version_stored_is_ignored(home: Home) -> None:
    home.settings.write_text(json.dumps({"port_base": 9000, "colour": "blue"}))
    assert StackSettings.read(home, {}).port_base == 9000


@given(st.integers(1024, 65000), st.integers(0, 19), st.integers(0, 19))
def test_no_two_parts_get_one_port(base: int, group: int, process: int) -> None:
    ports = Ports(base)
    fixed = {ports.edge, ports.edge_admin, ports.edge_internal, ports.postgres, ports.valkey, ports.objects, ports.broker}
    everything = fixed | {ports.host(group), ports.metrics(process)}
    assert len(everything) == len(fixed) + 2
    assert all(base <= port < base + 100 for port in everything)


def test_the_home_is_the_chosen_one_else_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIDEIA_HOME", str(tmp_path / "environment"))
    assert find_home(tmp_path / "chosen").path == tmp_path / "chosen"
    assert find_home().path == tmp_path / "environment"
    monkeypatch.delenv("PAIDEIA_HOME")
    assert find_home().path.name == ".paideia"


def test_a_context_that_came_with_a_newer_version_is_served_though_the_last_start_did_not_know_it(home: Home) -> None:
    home.settings.write_text('{"processes": "identity,catalog;assessment*2;progress;scheduler;ingestion"}')
    groups = StackSettings.read(home, environment={}).groups
    assert [each.name for each in groups][-1].startswith("paths+analytics+audit")
    assert groups[1].replicas == 2
    assert StackSettings.read(home, environment={"PAIDEIA_PROCESSES": "identity"}).groups[0].contexts == ("identity",)
