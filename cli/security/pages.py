"""What another site could have a browser do: act with its cookies, and be sent on to that site."""

from cli.security.browser import Browser, pages_of
from cli.security.findings import Finding
from cli.security.world import World

_EVIL = "https://evil.example"
_FORMS = (
    "/sign-in",
    "/sign-up",
    "/sign-out",
    "/accept-invitation",
    "/reset-password",
    "/account/profile",
    "/account/password",
    "/account/totp",
    "/account/recovery-codes",
    "/account/sign-out-everywhere",
)
_ADDRESSES = (
    _EVIL,
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "/%09/evil.example",
    f"{_EVIL}%2f@x",
)
_NO_PAGES = "; the platform serves no pages here"


async def forgery(world: World) -> Finding:
    """Cookies prove nothing to the API, its answers are for no other site, and forms are taken from our own pages only."""
    finding = Finding("csrf")
    for path in ("/v1/courses", "/v1/users", "/v1/me:signOutEverywhere"):
        cookie = (
            f"token={world.tokens['ADMIN']}; access_token={world.tokens['ADMIN']}; authorization=Bearer {world.tokens['ADMIN']}"
        )
        answer = await world.send("POST", path, {}, headers={"cookie": cookie, "origin": _EVIL})
        finding.expect(answer.status == 401, f"POST {path} with a cookie only: {answer.status}")
        asked = {"origin": _EVIL, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        answer = await world.send("OPTIONS", path, headers=asked)
        allowed = answer.headers.get("access-control-allow-origin", "")
        finding.expect(allowed not in ("*", _EVIL), f"OPTIONS {path} lets {allowed} in")
    if not (origin := await pages_of(world)):
        finding.note = "the API" + _NO_PAGES
        return finding
    await _forms(finding, world, origin)
    finding.note = f"the API, and forms at {origin}"
    return finding


async def _forms(finding: Finding, world: World, origin: str) -> None:
    """Somebody who is signed in visits another site, which sends our forms with that one's cookie; it may even know a form's token."""
    victim, intruder = Browser(world, origin), Browser(world, origin)
    await victim.sign_in(world.user("TEACHER"))
    token, of_intruder = await victim.form_token(), await intruder.form_token()
    ours = {"origin": origin}
    for path in _FORMS:
        for name, given, headers in (
            ("no token", "", ours),
            ("a token of one's own", of_intruder, ours),
            ("from another site", token, {"origin": _EVIL}),
            ("from a page without an origin", token, {"origin": "null"}),
            ("from a site that begins like ours", token, {"origin": f"{origin}.evil.example"}),
            ("with a referer only", token, {"referer": f"{origin}/account"}),
        ):
            answer = await victim.submit(path, {"csrf": given, "organization": world.organization, "login": "x"}, headers)
            finding.expect(400 <= answer.status < 500, f"POST {path}, {name}: {answer.status}")
    finding.expect(await victim.is_signed_in(), "a forged form has signed somebody out")
    answer = await victim.submit("/account/profile", {"csrf": token, "display_name": world.mark})
    finding.expect(answer.status in (200, 303), f"POST /account/profile from its own page: {answer.status}")


async def redirects(world: World) -> Finding:
    """No address that somebody puts into a link is one that the platform sends browsers on to, before or after they sign in."""
    finding = Finding("open-redirect")
    if not (origin := await pages_of(world)):
        finding.note = "nothing tried" + _NO_PAGES
        return finding
    stranger, member = Browser(world, origin), Browser(world, origin)
    await member.sign_in(world.user("AUTHOR"))
    for path in ("/sign-in", "/sign-up", "/account"):
        for name in ("next", "return_to", "returnTo", "redirect", "redirect_uri", "url"):
            for address in _ADDRESSES:
                for browser in (stranger, member):
                    answer = await browser.open(f"{path}?{name}={address}")
                    where = answer.headers.get("location", "")
                    held = answer.status < 500 and not browser.leads_away(path, answer)
                    finding.expect(held, f"GET {path}?{name}={address}: {answer.status} to {where}")
    for address in _ADDRESSES:
        browser = Browser(world, origin)
        await browser.open(f"/sign-in?return_to={address}")
        answer = await browser.sign_in(world.user("AUTHOR"), return_to=address)
        finding.expect(not browser.leads_away("/sign-in", answer), f"signing in leads to {answer.headers.get('location', '')}")
    for header in ("host", "x-forwarded-host", "x-forwarded-proto", "forwarded"):
        answer = await stranger.open("/account", {header: "host=evil.example" if header == "forwarded" else "evil.example"})
        finding.expect(not stranger.leads_away("/account", answer), f"{header} leads to {answer.headers.get('location', '')}")
    finding.note = f"pages at {origin}"
    return finding
