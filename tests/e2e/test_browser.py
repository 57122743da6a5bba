"""Signing in with a real browser: password and app, passkey, somebody else's provider.

With PAIDEIA_SCREENSHOTS=<folder> each step leaves a picture there; `make screenshots` puts them into docs/images.
"""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.browsing import add_authenticator, browser
from tests.e2e.platform import Platform
from tests.integrations.idp.running import CLIENT, SECRET, running_provider
from tests.stores import free_port

pytestmark = pytest.mark.e2e

PASSWORD = "lantern orbit 42 velvet"


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def context(chrome: Browser) -> Iterator[BrowserContext]:
    context = chrome.new_context(viewport={"width": 480, "height": 720})
    context.set_default_timeout(15_000)
    yield context
    context.close()


def shows(page: Page, name: str) -> None:
    """Keeps a picture of the page, where that is wanted."""
    if folder := os.environ.get("PAIDEIA_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def public_url(platform: Platform) -> str:
    return platform.record.url.replace("127.0.0.1", "localhost")


def signs_in(page: Page, platform: Platform, user: str) -> None:
    page.goto(f"{public_url(platform)}/sign-in?organization=demo")
    page.get_by_label("User id or e-mail address").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def new_learner(platform: Platform) -> str:
    user = f"learner-{uuid4().hex[:8]}"
    platform.create_learner(user, PASSWORD)
    return user


def test_a_browser_signs_in_with_a_password_and_an_app(platform: Platform, context: BrowserContext) -> None:
    user, page = new_learner(platform), context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{platform.record.url}/sign-in?organization=demo")
    assert page.url.startswith(public_url(platform))
    shows(page, "sign-in")
    signs_in(page, platform, user)
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    shows(page, "account")
    page.get_by_role("button", name="Set up an authenticator app").click()
    secret = page.locator("#totp_secret").inner_text()
    box = page.locator(".qr svg").bounding_box()
    assert box is not None
    assert box["width"] > 150
    app = pyotp.TOTP(secret)
    first = app.now()
    shows(page, "authenticator-app")
    page.get_by_label("Code that the app shows").fill(first)
    page.get_by_role("button", name="Put it in use").click()
    expect(page.locator(".codes li")).to_have_count(10)
    codes = page.locator(".codes li").all_inner_texts()
    page.get_by_role("button", name="Sign out", exact=True).click()
    signs_in(page, platform, user)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    shows(page, "second-step")
    # The next code: no code is accepted twice, and waiting for it would take half a minute.
    page.get_by_label("Code of your authenticator app").fill(app.at(time.time() + 30))
    page.get_by_role("button", name="Continue").first.click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    assert len(codes) == 10
    assert complaints == []
    cookies = {each["name"]: each for each in context.cookies()}
    assert set(cookies) <= {"paideia", "__Host-paideia"}
    assert all(each["httpOnly"] and each["sameSite"] == "Lax" for each in cookies.values())


def test_a_browser_signs_in_with_a_passkey_and_nothing_else(platform: Platform, context: BrowserContext) -> None:
    user, page = new_learner(platform), context.new_page()
    add_authenticator(context, page)
    signs_in(page, platform, user)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("What to call it").fill("this laptop")
    shows(page, "add-a-passkey")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("this laptop", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_text(user)).to_be_visible()


def test_a_browser_signs_in_through_a_provider_which_signs_it_out_again(platform: Platform, context: BrowserContext) -> None:
    name, url, provider = f"school-{uuid4().hex[:8]}", public_url(platform), free_port()
    client = {
        "redirect_uris": [f"{url}/sign-in/callback"],
        "backchannel_logout_uri": f"{url}/sign-in/logout/demo/{name}",
        "backchannel_logout_session_required": True,
        "scope": "openid email profile",
    }
    with running_provider(provider, client) as school:
        added = platform.call(
            "POST",
            "/v1/identityProviders",
            {
                "requestId": str(uuid4()),
                "identityProviderId": name,
                "identityProvider": {
                    "displayName": "the school",
                    "kind": "PROVIDER_KIND_OPENID",
                    "issuer": school.issuer,
                    "clientId": CLIENT,
                    "clientSecret": SECRET,
                    "provisioning": "PROVISIONING_CREATE",
                },
            },
            platform.sign_in("demo", "admin", platform.password).body["accessToken"],
        )
        assert added.status == 200, added
        assert SECRET not in str(added.body)
        page = context.new_page()
        page.goto(f"{url}/sign-in?organization=demo")
        shows(page, "sign-in-with-a-provider")
        page.get_by_role("link", name="Continue with the school").click()
        page.locator('input[name="login"]').fill("eve")
        page.locator('input[name="password"]').fill("any")
        page.get_by_role("button", name="Sign-in").click()
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading", name="Your account")).to_be_visible()
        expect(page.get_by_text("eve@example.org")).to_be_visible()
        # Signing out over there.
        page.goto(f"{school.issuer}/session/end")
        page.get_by_role("button", name=re.compile("Yes")).click()

        def signed_out() -> bool:
            page.goto(f"{url}/account")
            return page.url.startswith(f"{url}/sign-in")

        platform.wait(signed_out, 15, "the end of the session")
        removed = platform.call("POST", f"/v1/identityProviders/{name}:remove", {"requestId": str(uuid4())}, platform.token())
        assert removed.status == 200, removed
