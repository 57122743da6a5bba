"""The browser of `paideia security check`: what counts as being sent to another site."""

from typing import Any

import pytest

from cli.security.browser import Browser
from cli.security.world import Answer

ORIGIN = "http://learn.example:8080"


def leads_away(location: str) -> bool:
    world: Any = None  # nothing is sent
    return Browser(world, ORIGIN).leads_away("/sign-in", Answer(303, {}, "", {"location": location}, {}))


@pytest.mark.parametrize("location", ["", "/account", "account", "?x=//evil.example", f"{ORIGIN}/account", "/evil.example"])
def test_the_platforms_own_addresses_lead_nowhere_else(location: str) -> None:
    assert not leads_away(location)


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "http://learn.example",
        "https://learn.example:8080/account",
        f"{ORIGIN}.evil.example",
        f"{ORIGIN}@evil.example",
    ],
)
def test_every_other_address_leads_away(location: str) -> None:
    assert leads_away(location)
