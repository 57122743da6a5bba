"""What is not believed: every check of tokens and addresses, against a provider of our own that lies as each test has it lie."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from adapters.identity.guarded_http import FetchFailed, FetchRefused, GuardedHttp
from adapters.identity.oidc_client import OidcClient
from adapters.identity.oidc_tokens import ProviderKeys
from domain.identity.federated_sign_in import AuthorizationRequest, FederationRefused
from domain.identity.federation import IdentityProvider, ProviderKind, RoleRule
from domain.shared.caller import Role
from domain.shared.errors import InvalidInput, NotAllowedNow, Unavailable

NOW = datetime.now(UTC).replace(microsecond=0)
REQUEST = AuthorizationRequest(
    "north.state", "the nonce", "the verifier of this sign-in", "https://learn.example.org/sign-in/callback"
)
LOGOUT = {"http://schemas.openid.net/event/backchannel-logout": {}}


def at(**ahead: float) -> int:
    return int((NOW + timedelta(**ahead)).timestamp())


@dataclass
class Liar:
    """A provider on the loopback whose every answer a test can change."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}))
    listed: list[dict[str, Any]] = field(default_factory=list)
    token: str = ""
    access_token: str = "opaque"
    user: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    form: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None

    @property
    def provider(self) -> IdentityProvider:
        return IdentityProvider(
            "school", "School", ProviderKind.OPENID, self.issuer, "paideia", b"", NOW,
            role_rules=(RoleRule("realm_access.roles", "teacher", Role.TEACHER),),
        )  # fmt: skip

    def claims(self, **changes: Any) -> dict[str, Any]:
        usual = {
            "iss": self.issuer, "aud": "paideia", "sub": "eve", "nonce": REQUEST.nonce, "iat": at(), "exp": at(minutes=10),
            "email": "Eve@Example.org", "email_verified": True,
        }  # fmt: skip
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def signs(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        key = key or self.key
        return jwt.encode({"alg": "RS256", "kid": "k1"} | header, claims, key, algorithms=["RS256", "ES256", "HS256", "none"])

    async def answers(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/.well-known/openid-configuration":
            usual = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            }
            return web.json_response(usual | self.metadata)
        if request.path == "/jwks":
            return web.json_response({"keys": self.listed or [self.key.as_dict(private=False)]})
        if request.path == "/token":
            self.form = {name: str(value) for name, value in (await request.post()).items()}
            if self.body is not None:
                return web.Response(body=self.body, content_type="application/json")
            answer = {"access_token": self.access_token, "token_type": "Bearer", "id_token": self.token}
            return web.json_response(answer)
        if request.path == "/userinfo":
            return web.json_response(self.user)
        if request.path == "/elsewhere":
            raise web.HTTPFound("https://example.org/")
        return web.Response(status=404)


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "k1"})


@pytest.fixture
async def liar(key: RSAKey) -> AsyncIterator[Liar]:
    liar = Liar(key=key)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", liar.answers)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    liar.issuer = f"http://localhost:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    yield liar
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[GuardedHttp]:
    http = GuardedHttp(private=True)
    yield http
    await http.close()


@pytest.fixture
def client(http: GuardedHttp) -> OidcClient:
    return OidcClient(http)


async def comes_back(client: OidcClient, liar: Liar, issuer: str = "", request: AuthorizationRequest = REQUEST) -> Any:
    return await client.person(liar.provider, "s", "the code", issuer, request, NOW)


async def test_a_right_token_is_believed_and_the_code_was_exchanged_with_the_verifier(client: OidcClient, liar: Liar) -> None:
    half = hashlib.sha256(b"opaque").digest()[:16]
    liar.token = liar.signs(
        liar.claims(
            at_hash=base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
            aud=["paideia", "other"], azp="paideia", sid="s1", auth_time=at(minutes=-3), name="Eve\n Example",
            realm_access={"roles": ["teacher", 7]},
        )
    )  # fmt: skip
    person = await comes_back(client, liar)
    assert (person.subject, person.email, person.session) == ("eve", "eve@example.org", "s1")
    assert person.display_name == "Eve Example"
    assert person.authenticated_at == NOW - timedelta(minutes=3)
    assert liar.provider.roles_of(person) == {Role.TEACHER}
    assert liar.form == {
        "grant_type": "authorization_code",
        "code": "the code",
        "redirect_uri": REQUEST.redirect_uri,
        "code_verifier": REQUEST.verifier,
    }


async def test_the_browser_is_sent_with_a_challenge_that_the_verifier_answers(client: OidcClient, liar: Liar) -> None:
    url = await client.authorization_url(liar.provider, replace(REQUEST, fresh=True))
    asked = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
    digest = hashlib.sha256(REQUEST.verifier.encode()).digest()
    assert asked == {
        "response_type": "code",
        "client_id": "paideia",
        "redirect_uri": REQUEST.redirect_uri,
        "scope": "openid profile email",
        "state": REQUEST.state,
        "nonce": REQUEST.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "prompt": "login",
        "max_age": "0",
    }
    assert REQUEST.verifier not in url


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "somebody else"},
        {"aud": None},
        {"aud": ["paideia", "other"]},
        {"aud": ["paideia", "other"], "azp": "other"},
        {"azp": "other"},
        {"exp": at(minutes=-2)},
        {"exp": None},
        {"exp": True},
        {"exp": float("inf")},
        {"iat": at(minutes=2), "exp": at(minutes=10)},
        {"iat": at(minutes=-11)},
        {"iat": None},
        {"nbf": at(minutes=2)},
        {"nonce": "another sign-in's"},
        {"nonce": None},
        {"nonce": 7},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
        {"sub": "eve\n"},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"at_hash": 7},
    ],
    ids=lambda changes: "-".join(changes),
)
async def test_a_token_with_a_wrong_claim_is_refused(client: OidcClient, liar: Liar, changes: dict[str, Any]) -> None:
    liar.token = liar.signs(liar.claims(**changes))
    with pytest.raises(FederationRefused):
        await comes_back(client, liar)


async def test_clocks_may_differ_by_a_minute(client: OidcClient, liar: Liar) -> None:
    for changes in ({"exp": at(seconds=-59)}, {"iat": at(seconds=59)}, {"nbf": at(seconds=59)}):
        liar.token = liar.signs(liar.claims(**changes))
        assert (await comes_back(client, liar)).subject == "eve"


async def test_tokens_signed_by_nobody_or_by_somebody_else_are_refused(client: OidcClient, liar: Liar, key: RSAKey) -> None:
    claims = liar.claims()
    own = RSAKey.generate_key(2048, {"kid": "k1"})
    header, payload, signature = liar.signs(claims).split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    forged = [
        f"{unsigned}.{payload}.",
        f"{unsigned}.{payload}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        _signed_with_the_public_key(payload, key),
        liar.signs(claims, own),
        liar.signs(claims, own, kid="unknown"),
        liar.signs(claims, own, jwk=own.as_dict(private=False)),
        liar.signs(claims, ECKey.generate_key("P-256", {"kid": "k1"}), alg="ES256"),
        "not a token",
        "",
        "..",
    ]
    for token in forged:
        liar.token = token
        with pytest.raises(FederationRefused):
            await comes_back(client, liar)


def _signed_with_the_public_key(payload: str, key: RSAKey) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').rstrip(b"=").decode()
    signature = hmac.digest(key.as_pem(private=False), f"{header}.{payload}".encode(), "sha256")
    return f"{header}.{payload}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_a_new_key_is_fetched_when_a_token_names_it_and_unknown_ones_do_not_make_a_flood(
    http: GuardedHttp, liar: Liar
) -> None:
    now = [1000.0]
    client = OidcClient(http, lambda: now[0])
    liar.token = liar.signs(liar.claims())
    await comes_back(client, liar)
    second = RSAKey.generate_key(2048, {"kid": "k2"})
    liar.listed = [second.as_dict(private=False)]
    liar.token = liar.signs(liar.claims(), second, kid="k2")
    for _ in range(5):
        with pytest.raises(FederationRefused):
            await comes_back(client, liar)
    assert liar.asked.count("/jwks") == 1
    now[0] += 10
    assert (await comes_back(client, liar)).subject == "eve"
    assert liar.asked.count("/jwks") == 2


async def test_a_key_that_the_provider_withdrew_is_good_for_ten_minutes_more(http: GuardedHttp, liar: Liar) -> None:
    now = [1000.0]
    client = OidcClient(http, lambda: now[0])
    liar.token = liar.signs(liar.claims())
    await comes_back(client, liar)
    liar.listed = [RSAKey.generate_key(2048, {"kid": "k2"}).as_dict(private=False)]
    now[0] += 599
    assert (await comes_back(client, liar)).subject == "eve"
    now[0] += 1
    with pytest.raises(FederationRefused):
        await comes_back(client, liar)
    liar.listed = []
    now[0] += 10
    assert (await comes_back(client, liar)).subject == "eve"


async def test_old_keys_hold_while_the_provider_does_not_say_which_it_has(http: GuardedHttp, liar: Liar) -> None:
    now = [1000.0]
    client = OidcClient(http, lambda: now[0])
    liar.token = liar.signs(liar.claims())
    await comes_back(client, liar)
    keys = ProviderKeys(_fetched_once(await http.get(f"{liar.issuer}/jwks")), lambda: now[0])
    for _ in range(2):
        assert (await keys.verified(liar.token, frozenset({"RS256"}))).values["sub"] == "eve"
        now[0] += 600


def _fetched_once(found: Any) -> Any:
    answers = [found]

    async def fetch() -> Any:
        if not answers:
            raise FetchFailed("did not answer")
        return answers.pop()

    return fetch


@pytest.mark.parametrize("verified", [False, None, "true", 1])
async def test_an_address_counts_only_if_the_provider_says_verified(client: OidcClient, liar: Liar, verified: Any) -> None:
    liar.token = liar.signs(liar.claims(email_verified=verified))
    assert (await comes_back(client, liar)).email is None


async def test_microsofts_addresses_count_only_if_their_domain_was_proved(client: OidcClient, liar: Liar) -> None:
    provider = replace(liar.provider, kind=ProviderKind.MICROSOFT)
    liar.token = liar.signs(liar.claims())
    assert (await client.person(provider, "s", "c", "", REQUEST, NOW)).email is None
    liar.token = liar.signs(liar.claims(xms_edov=True))
    assert (await client.person(provider, "s", "c", "", REQUEST, NOW)).email == "eve@example.org"


async def test_userinfo_fills_in_and_must_speak_of_the_same_person(client: OidcClient, liar: Liar) -> None:
    liar.token = liar.signs(liar.claims(email=None, email_verified=None))
    liar.user = {"sub": "eve", "email": "eve@example.org", "email_verified": True, "iss": "https://evil.example"}
    assert (await comes_back(client, liar)).email == "eve@example.org"
    liar.user["sub"] = "mallory"
    with pytest.raises(FederationRefused):
        await comes_back(client, liar)


async def test_the_answer_of_another_issuer_is_refused(client: OidcClient, liar: Liar) -> None:
    liar.token = liar.signs(liar.claims())
    with pytest.raises(FederationRefused):
        await comes_back(client, liar, "https://evil.example")
    assert "/token" not in liar.asked, "its code went nowhere"
    assert (await comes_back(client, liar, liar.issuer)).subject == "eve"


async def test_an_issuer_that_announces_its_name_and_leaves_it_out_is_refused(client: OidcClient, liar: Liar) -> None:
    liar.metadata = {"authorization_response_iss_parameter_supported": True}
    liar.token = liar.signs(liar.claims())
    with pytest.raises(FederationRefused):
        await comes_back(client, liar)


async def test_a_fresh_proof_that_was_asked_for_must_be_one(client: OidcClient, liar: Liar) -> None:
    fresh = replace(REQUEST, fresh=True)
    for auth_time in (None, at(minutes=-11)):
        liar.token = liar.signs(liar.claims(auth_time=auth_time))
        with pytest.raises(FederationRefused):
            await comes_back(client, liar, request=fresh)
    liar.token = liar.signs(liar.claims(auth_time=at()))
    assert (await comes_back(client, liar, request=fresh)).authenticated_at == NOW


@pytest.mark.parametrize("body", [b"[]", b"{", b"x" * 300_000, b'{"access_token": 7, "token_type": "Bearer"}'])
async def test_a_token_endpoint_that_answers_nonsense_is_refused_and_hurts_nobody(
    client: OidcClient, liar: Liar, body: bytes
) -> None:
    liar.body = body
    with pytest.raises((FederationRefused, Unavailable)):
        await comes_back(client, liar)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://example.org/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
    ],
    ids=["another issuer", "plain http", "a file", "a script", "none"],
)
async def test_a_provider_that_says_nonsense_of_itself_is_not_used(
    client: OidcClient, liar: Liar, metadata: dict[str, Any]
) -> None:
    liar.metadata = metadata
    with pytest.raises(NotAllowedNow):
        await client.authorization_url(liar.provider, REQUEST)


async def test_a_provider_that_is_away_is_unavailable(client: OidcClient, liar: Liar) -> None:
    with pytest.raises(Unavailable):
        await client.authorization_url(replace(liar.provider, issuer="http://localhost:1"), REQUEST)


def logout(liar: Liar, **changes: Any) -> dict[str, Any]:
    usual = {
        "iss": liar.issuer, "aud": "paideia", "iat": at(), "exp": at(minutes=2), "jti": "j1", "sub": "eve", "sid": "s1",
        "events": LOGOUT,
    }  # fmt: skip
    return {name: value for name, value in (usual | changes).items() if value is not None}


async def test_a_right_logout_token_says_whose_session_ended(client: OidcClient, liar: Liar) -> None:
    notice = await client.logged_out(liar.provider, liar.signs(logout(liar), typ="logout+jwt"), NOW)
    assert (notice.token_id, notice.subject, notice.sid) == ("j1", "eve", "s1")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "n"},
        {"events": None},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"events": []},
        {"jti": None},
        {"sub": None, "sid": None},
        {"sub": 7},
        {"iss": "https://evil.example"},
        {"aud": "somebody else"},
        {"exp": at(minutes=-2)},
        {"iat": at(minutes=-11)},
    ],
    ids=[
        "an ID token",
        "no event",
        "another event",
        "no events",
        "no id",
        "nobody",
        "a number",
        "issuer",
        "audience",
        "expired",
        "old",
    ],
)
async def test_what_is_no_logout_token_ends_nothing(client: OidcClient, liar: Liar, changes: dict[str, Any]) -> None:
    for token in (liar.signs(logout(liar, **changes)), liar.signs(logout(liar), typ="at+jwt"), "x", "x" * 20_000):
        with pytest.raises(InvalidInput):
            await client.logged_out(liar.provider, token, NOW)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a9fe:a9fe]/latest/meta-data",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://user@example.org/",
        "https://exa mple.org/",
        "ftp://example.org/",
        "//example.org/",
        "",
        "https://example.org:99999/",
    ],
)
async def test_addresses_that_we_have_no_business_at_are_refused(url: str) -> None:
    http = GuardedHttp()
    with pytest.raises(FetchRefused):
        http.check(url)
    with pytest.raises(FetchRefused):
        await http.get(url)


async def test_a_name_that_leads_inside_is_refused_when_it_is_resolved() -> None:
    http = GuardedHttp()
    http.check("https://localhost/")
    with pytest.raises(FetchRefused):
        await http.get("https://localhost:1/")
    await http.close()


async def test_redirects_are_not_followed(http: GuardedHttp, liar: Liar) -> None:
    with pytest.raises(FetchFailed):
        await http.get(f"{liar.issuer}/elsewhere")
