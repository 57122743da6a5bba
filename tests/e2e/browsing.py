"""A real browser for tests: Debian's chromium, driven by playwright."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

_INSTALL_SECONDS = 300
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Returns the path of chromium. A machine without one gets it by apt-get if we may; else the test is skipped, saying so."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    if os.geteuid() or not shutil.which("apt-get"):
        pytest.skip("no chromium on PATH: on Debian, apt-get install chromium")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
        if done.returncode:
            pytest.skip(f"chromium could not be installed: {done.stderr[-300:]}")
    return shutil.which("chromium") or "chromium"


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium(), args=_ARGUMENTS, headless=True)
        try:
            yield running
        finally:
            running.close()


def add_authenticator(context: BrowserContext, page: Page) -> None:
    """Gives the page a virtual authenticator (Chrome DevTools Protocol, WebAuthn): one inside the device that verifies its user."""
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
