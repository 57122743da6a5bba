"""Fetches from addresses that somebody else chose, without being sent where we have no business.

Only https, only addresses of the public internet (what a name resolves to is looked at, and connected to, so that a second answer of the
name server changes nothing), no redirects, five seconds, a quarter of a megabyte. Whoever runs everything on one machine, or on a network
of their own, can allow private addresses, and plain http on the loopback with them.
"""

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult

_SECONDS = 5.0
_LARGEST_ANSWER = 256 * 1024
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class FetchRefused(Exception):
    """The address is none that we go to."""


class FetchFailed(Exception):
    """It did not answer, or not with what was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]


class GuardedHttp:
    """`private` allows private addresses. Opens its connections when first used."""

    def __init__(self, *, private: bool = False) -> None:
        self.private = private
        self._session: aiohttp.ClientSession | None = None

    def check(self, url: str) -> None:
        """Raises FetchRefused for an address that is none, or none of ours to go to."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.username or parts.password or not url.isascii() or not url.isprintable() or " " in url:
            raise FetchRefused("is not an address")
        if parts.scheme != "https" and not (self.private and parts.scheme == "http" and host in _LOOPBACK):
            raise FetchRefused("does not begin with https://")
        if _is_literal(host) and not self._allowed(host):
            raise FetchRefused("is not an address of the public internet")

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """Returns the JSON of a 200. Raises FetchRefused, FetchFailed."""
        status, value = await self._request("GET", url, headers or {}, None)
        if status != 200:
            raise FetchFailed(f"answered {status}")
        return value

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """Returns the JSON object of any answer. Raises FetchRefused, FetchFailed."""
        status, value = await self._request("POST", url, headers or {}, form)
        if not isinstance(value, dict):
            raise FetchFailed("did not answer with a JSON object")
        return Answer(status, value)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> tuple[int, Any]:
        self.check(url)
        try:
            async with self._client().request(
                method,
                url,
                data=form,
                headers={"accept": "application/json", **headers},
                allow_redirects=False,
            ) as answer:
                data = await answer.content.read(_LARGEST_ANSWER + 1)
                while len(data) <= _LARGEST_ANSWER and (more := await answer.content.read(_LARGEST_ANSWER + 1 - len(data))):
                    data += more
                if len(data) > _LARGEST_ANSWER:
                    raise FetchFailed("answered with too much")
                return answer.status, orjson.loads(data)
        except orjson.JSONDecodeError:
            raise FetchFailed("did not answer with JSON") from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if (refusal := _refusal_behind(error)) is not None:
                raise refusal from None
            raise FetchFailed(f"did not answer: {type(error).__name__}") from error

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_Resolver(self), limit=32, limit_per_host=8, use_dns_cache=False),
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                max_line_size=8190,
                max_field_size=8190,
            )
        return self._session

    def _allowed(self, address: str) -> bool:
        if self.private:
            return True
        found = ipaddress.ip_address(address.partition("%")[0])
        within = _within(found)
        return found.is_global and not found.is_multicast and (within is None or within.is_global)


class _Resolver(AbstractResolver):
    """The system's, without the addresses that are not allowed."""

    def __init__(self, guard: GuardedHttp) -> None:
        self._guard = guard
        self._system = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        allowed = [each for each in found if self._guard._allowed(each["host"])]
        if not allowed:
            raise OSError("no address of the public internet") from FetchRefused("is not an address of the public internet")
        return allowed

    async def close(self) -> None:
        await self._system.close()


def _within(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, where a gateway translates."""
    if isinstance(found, ipaddress.IPv4Address):
        return None
    if found in _NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour


def _refusal_behind(error: BaseException) -> FetchRefused | None:
    """The resolver's refusal, which aiohttp wraps."""
    cause = error.__cause__
    while cause is not None and not isinstance(cause, FetchRefused):
        cause = cause.__cause__
    return cause


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
