"""Settings: what they become and how a wrong one is refused."""

import pytest
from edge.settings import Address, Limit, SettingFault, Settings, settings_from


def test_a_file_changes_what_it_names_and_nothing_else() -> None:
    settings = settings_from({"limits": {"staff": {"per_second": 7, "burst": 9}}, "trusted_hops": 1}, Settings())
    assert settings.limits.staff == Limit(7, 9)
    assert settings.limits.learner == Settings().limits.learner
    assert settings.trusted_hops == 1


def test_a_context_may_have_several_processes() -> None:
    settings = settings_from({"targets": {"catalog": ["127.0.0.1:1", "[::1]:2"], "identity": "host.example:3"}}, Settings())
    assert settings.targets["catalog"] == (Address("127.0.0.1", 1), Address("::1", 2))
    assert settings.targets["identity"] == (Address("host.example", 3),)


@pytest.mark.parametrize(
    ("address", "numeric"), [("127.0.0.1:1", True), ("[::1]:1", True), ("host:1", False), ("10.example:1", False)]
)
def test_a_name_is_told_from_a_number(address: str, numeric: bool) -> None:
    assert Address.parse(address, "x").numeric is numeric


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"colour": "red"}, "unknown setting colour"),
        ({"listen": "8080"}, "listen must be HOST:PORT"),
        ({"listen": "host:0"}, "listen must be HOST:PORT"),
        ({"listen": "host:65536"}, "listen must be HOST:PORT"),
        ({"profile": "moon"}, "profile must be one of"),
        ({"limits": {"learner": {"per_second": 0, "burst": 1}}}, "limits.learner must hold"),
        ({"limits": {"learner": {"per_second": True, "burst": 1}}}, "limits.learner must hold"),
        ({"limits": {"martian": {"per_second": 1, "burst": 1}}}, "unknown setting limits.martian"),
        ({"limits": 5}, "limits must be a mapping"),
        ({"max_body_bytes": "1 MiB"}, "max_body_bytes must be of the kind int"),
        ({"max_body_bytes": -1}, "max_body_bytes must not be negative"),
        ({"reflection": 1}, "reflection must be of the kind bool"),
        ({"tls": {"certificate": "x"}}, "tls must hold"),
        ({"cors_origins": "http://x"}, "cors_origins must be a list"),
        ({"targets": {"catalog": ["nowhere"]}}, "targets.catalog must be HOST:PORT"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(values: dict[str, object], told: str) -> None:
    with pytest.raises(SettingFault) as fault:
        settings_from(values, Settings())
    assert told in str(fault.value)
