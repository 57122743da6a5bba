"""Every profile: Envoy accepts it, and it does what it is for."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.edge.conftest import Front
from tests.edge.proxy import ENVOY, eventually, free_port, generate, running
from tests.edge.upstream import CONTEXTS


class Authority:
    """Issues certificates for `localhost`."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._name = directory, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = directory / f"{name}-ca.crt"
        self.certificate.write_bytes(_pem(self._signed(name, self._key.public_key(), authority=True)))

    def issue(self, name: str, uri: str = "") -> dict[str, str]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, private = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        certificate.write_bytes(_pem(self._signed("localhost", key.public_key(), authority=False, uri=uri)))
        private.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return {"certificate": str(certificate), "key": str(private), "authority": str(self.certificate)}

    def _signed(self, name: str, key: ec.EllipticCurvePublicKey, *, authority: bool, uri: str = "") -> x509.Certificate:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(named(self._name), named(name), key, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if not authority:
            names: list[x509.GeneralName] = [x509.DNSName(name)]
            names += [x509.UniformResourceIdentifier(uri)] if uri else []
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def loopback() -> str:
    return f"127.0.0.1:{free_port()}"


@contextmanager
def started(directory: Path, profile: str, settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    settings = {"admin": loopback(), "jwks_listen": loopback(), "metrics_listen": loopback(), "listen": loopback()} | settings
    config = directory / profile / "envoy.yaml"
    made = generate(config, "--profile", profile, "--assets", str(config.parent), settings=settings)
    assert made.returncode == 0, made.stderr
    with running(config, settings["admin"]):
        yield settings


@pytest.mark.parametrize("profile", ["local", "kubernetes-edge", "kubernetes-sidecar"])
def test_envoy_accepts_the_profile(profile: str, tmp_path: Path) -> None:
    mesh = Authority(tmp_path, "mesh").issue("pod")
    settings: dict[str, Any] = {"local": {"targets": {"identity": "127.0.0.1:7001"}}}.get(profile, {"mesh": mesh})
    if profile == "kubernetes-edge":
        settings["tls"] = {"certificate": mesh["certificate"], "key": mesh["key"]}
    made = generate(tmp_path / "envoy.yaml", "--profile", profile, "--assets", str(tmp_path), settings=settings)
    assert made.returncode == 0, made.stderr
    checked = subprocess.run(
        [str(ENVOY), "--mode", "validate", "-c", str(tmp_path / "envoy.yaml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "Deprecated" not in checked.stderr


def test_a_wrong_setting_stops_the_generator_with_one_sentence(tmp_path: Path) -> None:
    made = generate(tmp_path / "envoy.yaml", "--target", "moon=127.0.0.1:1")
    assert made.returncode == 2
    assert made.stderr.splitlines() == [made.stderr.strip()]
    assert "targets.moon: there is no such context" in made.stderr
    assert not (tmp_path / "envoy.yaml").exists()


def test_a_request_goes_by_tls_to_the_edge_and_by_mutual_tls_to_the_service(front: Front, tmp_path: Path) -> None:
    mesh, public = Authority(tmp_path, "mesh"), Authority(tmp_path, "public")
    serving = public.issue("public")
    inward = {
        "context": "identity",
        "mesh": mesh.issue("identity"),
        "application": front.upstream.address,
        "outbound": loopback(),
    }
    with started(tmp_path, "kubernetes-sidecar", inward) as sidecar:
        port = sidecar["listen"].rpartition(":")[2]
        outward = {
            "tls": {"certificate": serving["certificate"], "key": serving["key"]},
            "mesh": mesh.issue("edge"),
            "targets": dict.fromkeys(CONTEXTS, f"localhost:{port}"),
        }
        trust = ssl.create_default_context(cafile=str(public.certificate))
        with (
            started(tmp_path, "kubernetes-edge", outward) as before,
            httpx.Client(base_url=f"https://localhost:{before['listen'].rpartition(':')[2]}", verify=trust, timeout=20) as rest,
        ):
            eventually(lambda: rest.get("/v1/me", headers=front.bearer()).status_code == 200)
            assert "max-age" in rest.get("/v1/me").headers["strict-transport-security"]
            statistics = httpx.get(f"http://{before['metrics_listen']}/metrics")
            assert "envoy_cluster_upstream_rq_total" in statistics.text
            assert httpx.get(f"http://{before['metrics_listen']}/config_dump").status_code == 404


def test_a_sidecar_admits_nobody_without_a_certificate_of_the_mesh(front: Front, tmp_path: Path) -> None:
    mesh = Authority(tmp_path, "mesh")
    inward = {
        "context": "identity",
        "mesh": mesh.issue("identity"),
        "application": front.upstream.address,
        "outbound": loopback(),
    }
    with started(tmp_path, "kubernetes-sidecar", inward) as sidecar:
        target = f"localhost:{sidecar['listen'].rpartition(':')[2]}"
        stranger = Authority(tmp_path, "stranger").issue("stranger")
        assert not _admitted(target, mesh, {})
        assert not _admitted(target, mesh, stranger)
        assert _admitted(target, mesh, mesh.issue("catalog"))


def _admitted(target: str, mesh: Authority, own: dict[str, str]) -> bool:
    credentials = grpc.ssl_channel_credentials(
        mesh.certificate.read_bytes(),
        Path(own["key"]).read_bytes() if own else None,
        Path(own["certificate"]).read_bytes() if own else None,
    )
    with grpc.secure_channel(target, credentials) as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        except grpc.RpcError:
            return False
    return True


def test_a_sidecar_carries_calls_out_to_the_context_they_are_for(front: Front, tmp_path: Path) -> None:
    mesh = Authority(tmp_path, "mesh")
    catalog = {"context": "catalog", "mesh": mesh.issue("catalog"), "application": front.upstream.address, "outbound": loopback()}
    with started(tmp_path / "catalog", "kubernetes-sidecar", catalog) as there:
        port = there["listen"].rpartition(":")[2]
        own = {
            "context": "assessment",
            "mesh": mesh.issue("assessment"),
            "application": loopback(),
            "outbound": loopback(),
            "targets": {"catalog": f"localhost:{port}"},
        }
        with (
            started(tmp_path / "assessment", "kubernetes-sidecar", own) as here,
            grpc.insecure_channel(here["outbound"]) as channel,
        ):
            call = channel.unary_unary("/paideia.catalog.v1.CatalogService/GetCourse")
            answer = call(b"\x0a\x0bcourses/sql", metadata=tuple(front.bearer().items()), timeout=10, wait_for_ready=True)
            assert b"courses/sql" in answer
            with pytest.raises(grpc.RpcError) as refusal:
                channel.unary_unary("/paideia.progress.v1.ProgressService/GetMastery")(b"", timeout=10)
            assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_sidecar_lets_in_the_callers_that_it_is_told_and_says_whether_its_process_can_serve(
    front: Front, tmp_path: Path
) -> None:
    mesh = Authority(tmp_path, "mesh")
    inward = {
        "context": "identity",
        "callers": ["edge", "integrations"],
        "mesh": mesh.issue("identity"),
        "application": front.upstream.address,
        "outbound": loopback(),
    }
    with started(tmp_path, "kubernetes-sidecar", inward) as sidecar:
        target = f"localhost:{sidecar['listen'].rpartition(':')[2]}"
        eventually(lambda: httpx.get(f"http://{sidecar['metrics_listen']}/readyz").status_code == 200)
        assert _admitted(target, mesh, mesh.issue("edge", "spiffe://paideia/edge"))
        assert not _admitted(target, mesh, mesh.issue("scheduler", "spiffe://paideia/scheduler"))
        assert not _admitted(target, mesh, mesh.issue("nameless"))
    with started(tmp_path / "alone", "kubernetes-sidecar", inward | {"application": loopback()}) as sidecar:
        assert httpx.get(f"http://{sidecar['metrics_listen']}/livez").status_code == 200
        eventually(lambda: httpx.get(f"http://{sidecar['metrics_listen']}/readyz").status_code == 503)
