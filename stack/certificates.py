"""The certificates of a stack: two authorities of its own, one certificate for the public door and one for each workload.

A folder holds `tls.crt` (the chain), `tls.key` and `ca.crt` (the authorities to trust) as Kubernetes mounts a secret: links through
`..data`, which is moved from one version to the next in one step. Whoever watches the folder sees the three change together.
"""

import contextlib
import fcntl
import ipaddress
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

MESH_DOMAIN = "mesh.paideia"
"""A context answers as `<context>.mesh.paideia`."""
TOOLS = "stack"
"""The workload as which the tools of a stack speak to its contexts."""
_TRUST_DOMAIN = "spiffe://paideia/"
_AUTHORITY_LIFE = timedelta(days=3650)
_LIFE = timedelta(days=30)
_RENEWED_BEFORE = timedelta(days=10)
_CLOCKS_DIFFER = timedelta(hours=1)
_SETTLE_SECONDS = 5.0
"""How long a new authority is trusted before anything that it issued is shown: everybody looks at their files every second."""
_VERSIONS_KEPT = 2


class CertificateFault(Exception):
    """A certificate cannot be used or read; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Described:
    """`name` is `public` or a workload's; `issuer` is the authority's, `public` or `mesh`; empty for one that is not of this stack."""

    name: str
    names: tuple[str, ...]
    issuer: str
    serial: str
    expires: datetime

    def days_left(self, now: datetime) -> int:
        return (self.expires - now).days


def workload_name(contexts: Sequence[str]) -> str:
    """The name of the process that serves these contexts: the path of its SPIFFE id, in which `+` may not be."""
    return ".".join(contexts)


class Certificates:
    """The certificates below one directory. Every change holds a lock: a command and the supervisor may meet."""

    def __init__(self, directory: Path, settle: Callable[[], None] = lambda: time.sleep(_SETTLE_SECONDS)) -> None:
        self._directory = directory
        self._settle = settle

    @property
    def public(self) -> Path:
        return self._directory / "public"

    def workload(self, name: str) -> Path:
        return self._directory / "workloads" / name

    def ensure_workload(self, name: str, contexts: Sequence[str] = ()) -> Path:
        """Issues the certificate of a process that calls as `name` and answers for `contexts`, unless a good one is there."""
        names = [f"{each}.{MESH_DOMAIN}" for each in contexts or (name,)]
        with self._locked():
            self._ensure(self.workload(name), "mesh", [x509.UniformResourceIdentifier(_TRUST_DOMAIN + name), *map(_name, names)])
        return self.workload(name)

    def ensure_public(self, names: Sequence[str]) -> Path:
        """Issues a certificate for these host names and addresses, unless a good one of ours is there."""
        with self._locked():
            self._ensure(self.public, "public", [_name(each) for each in names])
        return self.public

    def install_public(self, certificate: Path, key: Path) -> None:
        """Takes the operator's own chain and key for the public door. Raises CertificateFault."""
        try:
            chain, private = certificate.read_bytes(), key.read_bytes()
            first = x509.load_pem_x509_certificates(chain)[0]
            loaded = serialization.load_pem_private_key(private, None)
        except (OSError, ValueError, TypeError) as error:
            raise CertificateFault(
                f"{certificate} and {key} must be a PEM chain and its PEM key without a password: {error}"
            ) from None
        if _raw(loaded.public_key()) != _raw(first.public_key()):  # type: ignore[arg-type]  # keys of certificates are among them
            raise CertificateFault(f"{key} is not the key of {certificate}")
        if first.not_valid_after_utc <= datetime.now(UTC):
            raise CertificateFault(f"{certificate} expired on {first.not_valid_after_utc:%Y-%m-%d}")
        with self._locked():
            _write(self.public, {"tls.crt": chain, "tls.key": private, "ca.crt": b""})

    def renew_due(self) -> list[str]:
        """Issues anew what ends soon; returns the names."""
        with self._locked():
            return [self._reissue(folder, leaf) for folder, leaf in self._leaves() if _ends_soon(leaf) and self._issuer(leaf)]

    def rotate(self, authorities: bool = False) -> list[str]:
        """Issues everything anew, under new authorities if asked, and returns the names.

        A new authority is trusted everywhere before it is used, and the old ones go on being trusted until they expire.
        """
        with self._locked():
            leaves = [(folder, leaf) for folder, leaf in self._leaves() if self._issuer(leaf)]
            if authorities:
                for kind in {self._issuer(leaf) for _, leaf in leaves}:
                    self._new_authority(kind)
                for folder, leaf in leaves:
                    trusted = self._bundle(self._issuer(leaf))
                    _write(folder, {name: (folder / name).read_bytes() for name in ("tls.crt", "tls.key")} | {"ca.crt": trusted})
                self._settle()
            return [self._reissue(folder, leaf) for folder, leaf in leaves]

    def describe(self) -> list[Described]:
        return [
            Described(
                folder.name,
                tuple(_text(each) for each in _names(leaf)),
                self._issuer(leaf),
                f"{leaf.serial_number:x}",
                leaf.not_valid_after_utc,
            )
            for folder, leaf in self._leaves()
        ]

    def _leaves(self) -> list[tuple[Path, x509.Certificate]]:
        folders = [self.public, *sorted((self._directory / "workloads").glob("[!.]*"))]
        return [(folder, leaf) for folder in folders if (leaf := _read(folder)) is not None]

    def _ensure(self, folder: Path, kind: str, names: list[x509.GeneralName]) -> None:
        leaf = _read(folder)
        if leaf is None or _ends_soon(leaf) or self._issuer(leaf) != kind or set(_names(leaf)) != set(names):
            self._issue(folder, kind, names)

    def _reissue(self, folder: Path, leaf: x509.Certificate) -> str:
        self._issue(folder, self._issuer(leaf), _names(leaf))
        return folder.name

    def _issue(self, folder: Path, kind: str, names: list[x509.GeneralName]) -> None:
        authority, authority_key = self._authority(kind)
        key = ec.generate_private_key(ec.SECP256R1())
        # What the public door shows must be of no use as a client of the mesh.
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if kind == "mesh" else [])]
        builder = _builder(folder.name, key.public_key(), authority.subject, _LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        leaf = builder.sign(authority_key, hashes.SHA256())
        _write(folder, {"tls.crt": _pem(leaf), "tls.key": _key_pem(key), "ca.crt": self._bundle(kind)})

    def _issuer(self, leaf: x509.Certificate) -> str:
        """Which of our authorities issued it; empty for none."""
        for kind in ("mesh", "public"):
            for authority in _chain(self._authorities(kind) / "ca.crt"):
                with contextlib.suppress(ValueError, TypeError, InvalidSignature):
                    leaf.verify_directly_issued_by(authority)
                    return kind
        return ""

    def _authorities(self, kind: str) -> Path:
        return self._directory / "authorities" / kind

    def _authority(self, kind: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """The one that issues; made when there is none."""
        folder = self._authorities(kind)
        if not folder.exists():
            self._new_authority(kind)
        key = serialization.load_pem_private_key((folder / "tls.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CertificateFault(
                f"{folder / 'tls.key'} is not a key of ours; remove its folder, and the next start makes it anew"
            )
        return _chain(folder / "ca.crt")[0], key

    def _bundle(self, kind: str) -> bytes:
        return (self._authorities(kind) / "ca.crt").read_bytes()

    def _new_authority(self, kind: str) -> None:
        folder = self._authorities(kind)
        now = datetime.now(UTC)
        older = [each for each in _chain(folder / "ca.crt") if each.not_valid_after_utc > now]
        key = ec.generate_private_key(ec.SECP256R1())
        name = _named(f"Paideia {kind} authority {now:%Y-%m-%d %H:%M:%S}")
        builder = _builder(name, key.public_key(), name, _AUTHORITY_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        own = builder.sign(key, hashes.SHA256())
        _write(folder, {"ca.crt": b"".join(map(_pem, [own, *older])), "tls.key": _key_pem(key)})

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._directory / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Puts the files in place all at once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    version = folder / f"..{time.time_ns()}"
    version.mkdir(mode=0o700)
    for name, content in files.items():
        with os.fdopen(os.open(version / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    following = folder / "..next"
    following.unlink(missing_ok=True)
    following.symlink_to(version.name)
    following.replace(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for old in sorted(folder.glob("..[0-9]*"))[:-_VERSIONS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _read(folder: Path) -> x509.Certificate | None:
    chain = _chain(folder / "tls.crt")
    return chain[0] if chain else None


def _chain(file: Path) -> list[x509.Certificate]:
    try:
        content = file.read_bytes()
        return x509.load_pem_x509_certificates(content) if content.strip() else []
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise CertificateFault(f"{file} cannot be read: {error}; remove its folder, and the next start makes it anew") from None


def _ends_soon(leaf: x509.Certificate) -> bool:
    return leaf.not_valid_after_utc - datetime.now(UTC) < _RENEWED_BEFORE


def _builder(
    subject: str | x509.Name, key: CertificatePublicKeyTypes, issuer: x509.Name, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    name = _named(subject) if isinstance(subject, str) else subject
    return x509.CertificateBuilder(issuer, name, key, x509.random_serial_number(), now - _CLOCKS_DIFFER, now + life)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(text: str) -> x509.Name:
    # A common name has at most 64 characters; nobody decides by it.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _names(leaf: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _text(name: x509.GeneralName) -> str:
    return str(name.value)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _raw(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
