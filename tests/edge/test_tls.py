"""The public port with a certificate: TLS for everybody, plain HTTP for this machine, and new certificates under load."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stack.certificates import Certificates
from tests.edge.conftest import Front
from tests.edge.proxy import edge, eventually, generate, running
from tests.edge.test_profiles import loopback
from tests.edge.upstream import CONTEXTS


@dataclass(frozen=True)
class Secure:
    """The same port by its two names."""

    port: int
    certificates: Certificates
    front: Front

    @property
    def by_name(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def by_number(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificates.public / "ca.crt"))


@pytest.fixture(scope="module")
def secure(front: Front, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("secure")
    certificates = Certificates(directory / "certificates", settle=lambda: time.sleep(2))
    public = certificates.ensure_public(["localhost", "127.0.0.1"])
    tls = {"certificate": f"{public}/tls.crt", "key": f"{public}/tls.key"}
    with (
        edge(directory, dict.fromkeys(CONTEXTS, front.upstream.address), {"tls": tls}) as before,
        httpx.Client(base_url=before.url, timeout=20) as rest,
    ):
        eventually(lambda: rest.get("/v1/me", headers=front.bearer()).status_code == 200)
        yield Secure(int(before.address.rpartition(":")[2]), certificates, Front(before, front.upstream, rest))


def handshake(port: int, **limits: ssl.TLSVersion) -> str | None:
    """The version agreed on, without a look at the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, version in limits.items():
        setattr(context, name, version)
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.version()


def test_only_the_newest_tls_is_spoken(secure: Secure) -> None:
    assert handshake(secure.port) == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        handshake(secure.port, maximum_version=ssl.TLSVersion.TLSv1_2)


@pytest.mark.parametrize(("offered", "chosen"), [(["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), (["spdy/3"], None)])
def test_the_best_version_of_http_that_the_client_offers_is_spoken(
    secure: Secure, offered: list[str], chosen: str | None
) -> None:
    context = secure.trust
    context.set_alpn_protocols(offered)
    with (
        socket.create_connection(("127.0.0.1", secure.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        assert wrapped.selected_alpn_protocol() == chosen


def test_browsers_are_bound_to_tls_except_for_what_else_is_called_localhost(secure: Secure) -> None:
    by_number = httpx.get(f"{secure.by_number}/v1/me", verify=secure.trust)
    assert by_number.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert "strict-transport-security" not in httpx.get(f"{secure.by_name}/v1/me", verify=secure.trust).headers
    assert "strict-transport-security" not in secure.front.rest.get("/v1/me").headers


def test_this_machine_is_served_without_tls_too(secure: Secure) -> None:
    assert secure.front.rest.get("/v1/courses/sql", headers=secure.front.bearer()).status_code == 200


def test_grpc_goes_by_tls(secure: Secure) -> None:
    credentials = grpc.ssl_channel_credentials((secure.certificates.public / "ca.crt").read_bytes())
    with grpc.secure_channel(f"localhost:{secure.port}", credentials) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_elsewhere_what_comes_without_tls_is_sent_to_tls_or_refused(front: Front, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "certificates")
    public, mesh = certificates.ensure_public(["localhost"]), certificates.ensure_workload("edge")
    settings = {name: loopback() for name in ("listen", "admin", "jwks_listen", "metrics_listen")}
    config = tmp_path / "envoy.yaml"
    folders = ["--tls", str(public), "--mesh", str(mesh), "--assets", str(tmp_path)]
    made = generate(config, "--profile", "kubernetes-edge", *folders, settings=settings)
    assert made.returncode == 0, made.stderr
    with running(config, settings["admin"]):
        reply = httpx.get(f"http://{settings['listen']}/v1/me?a=b")
        assert (reply.status_code, reply.headers["location"]) == (308, f"https://{settings['listen']}/v1/me?a=b")
        refused = httpx.post(f"http://{settings['listen']}/v1/sessions:signIn", json={"password": "x"})
        assert refused.status_code == 403
        assert "https" in refused.text


def test_new_certificates_authorities_and_signing_keys_fail_no_request(secure: Secure) -> None:
    statuses = asyncio.run(under_load(secure))
    assert set(statuses) == {200}
    assert len(statuses) > 50


async def under_load(secure: Secure) -> list[object]:
    """Returns what each request came to, while keys and certificates change: on kept connections, and on one for each request."""
    seen: list[object] = []
    done = asyncio.Event()

    async def ask(client: httpx.AsyncClient) -> None:
        try:
            # Each as somebody else: nobody is limited.
            headers = secure.front.bearer(sub=f"user-{len(seen)}")
            reply = await client.get(f"{secure.by_name}/v1/courses/sql", headers=headers)
            seen.append(reply.status_code)
        except httpx.HTTPError as error:
            seen.append(repr(error))
        await asyncio.sleep(0.01)

    async def kept() -> None:
        async with httpx.AsyncClient(verify=secure.trust, timeout=20) as client:
            while not done.is_set():
                await ask(client)

    async def fresh() -> None:
        while not done.is_set():
            async with httpx.AsyncClient(verify=secure.trust, timeout=20) as client:
                await ask(client)

    before = {each.serial for each in secure.certificates.describe()}
    async with asyncio.TaskGroup() as group:
        for work in (kept, kept, fresh, fresh):
            group.create_task(work())
        # As identity does it: a key is listed first, and used when everybody must have seen it. The edge asks every ten seconds.
        secure.front.upstream.signer.announce()
        announced = time.monotonic()
        for authorities in (False, True):
            await asyncio.to_thread(secure.certificates.rotate, authorities)
            await asyncio.sleep(1)
        await asyncio.sleep(max(0, announced + 11 - time.monotonic()))
        secure.front.upstream.signer.use_newest()
        await asyncio.sleep(1)
        done.set()
    assert not before & {each.serial for each in secure.certificates.describe()}
    return seen


def test_what_is_no_tls_and_no_http_is_closed_and_not_answered(secure: Secure) -> None:
    with socket.create_connection(("127.0.0.1", secure.port), 10) as raw:
        raw.sendall(b"\x00\x01\x02 this is neither\r\n\r\n")
        raw.settimeout(15)
        assert b"200" not in raw.recv(1000)
