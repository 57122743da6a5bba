"""Certificates of a stack: issued once, anew before they end, taken over from the operator, exchanged in one step."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from stack import certificates as module
from stack.certificates import CertificateFault, Certificates, workload_name

NAMES = ("localhost", "127.0.0.1", "::1", "learn.example.org")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certificates", settle=lambda: None)


def leaf(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())


def test_a_good_certificate_is_kept_and_one_for_other_names_is_replaced(certificates: Certificates) -> None:
    first = leaf(certificates.ensure_public(NAMES)).serial_number
    assert leaf(certificates.ensure_public(NAMES)).serial_number == first
    assert leaf(certificates.ensure_public(NAMES[:2])).serial_number != first


def test_a_workload_is_named_by_a_uri_and_answers_for_its_contexts(certificates: Certificates) -> None:
    name = workload_name(["identity", "catalog"])
    names = leaf(certificates.ensure_workload(name, ["identity", "catalog"])).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://paideia/identity.catalog"]
    assert names.value.get_values_for_type(x509.DNSName) == ["identity.mesh.paideia", "catalog.mesh.paideia"]


def test_the_public_certificate_is_of_no_use_in_the_mesh(certificates: Certificates) -> None:
    public, workload = certificates.ensure_public(NAMES), certificates.ensure_workload("edge")
    uses = leaf(public).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert (public / "ca.crt").read_bytes() != (workload / "ca.crt").read_bytes()


def test_nobody_else_reads_a_key(certificates: Certificates, tmp_path: Path) -> None:
    certificates.ensure_public(NAMES)
    keys = list((tmp_path / "certificates").rglob("tls.key"))
    assert keys
    assert {key.stat().st_mode & 0o077 for key in keys} == {0}


def test_what_ends_soon_is_issued_anew_and_the_rest_is_left_alone(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LIFE", timedelta(days=5))
    certificates.ensure_workload("edge")
    monkeypatch.undo()
    certificates.ensure_public(NAMES)
    assert certificates.renew_due() == ["edge"]
    assert certificates.renew_due() == []


def test_a_rotation_changes_every_certificate_and_old_authorities_stay_trusted(certificates: Certificates) -> None:
    folders = [certificates.ensure_public(NAMES), certificates.ensure_workload("edge"), certificates.ensure_workload("catalog")]
    before = [leaf(folder) for folder in folders]
    assert certificates.rotate() == ["public", "catalog", "edge"]
    assert len(x509.load_pem_x509_certificates((folders[0] / "ca.crt").read_bytes())) == 1
    certificates.rotate(authorities=True)
    for folder, old in zip(folders, before, strict=True):
        newest, older = x509.load_pem_x509_certificates((folder / "ca.crt").read_bytes())
        leaf(folder).verify_directly_issued_by(newest)
        old.verify_directly_issued_by(older)


def test_a_new_authority_is_trusted_everywhere_before_anybody_shows_its_certificates(tmp_path: Path) -> None:
    seen: list[tuple[int, bool]] = []
    certificates = Certificates(tmp_path, settle=lambda: seen.append((bundled(edge), leaf(edge).serial_number == before)))
    edge = certificates.ensure_workload("edge")
    before = leaf(edge).serial_number
    certificates.rotate(authorities=True)
    assert seen == [(2, True)]


def bundled(folder: Path) -> int:
    return len(x509.load_pem_x509_certificates((folder / "ca.crt").read_bytes()))


def test_an_own_certificate_is_shown_and_not_issued_anew_until_it_is_given_up(certificates: Certificates, tmp_path: Path) -> None:
    elsewhere = Certificates(tmp_path / "elsewhere").ensure_public(["learn.example.org"])
    certificates.install_public(elsewhere / "tls.crt", elsewhere / "tls.key")
    assert leaf(certificates.public) == leaf(elsewhere)
    assert certificates.rotate(authorities=True) == []
    assert [each.issuer for each in certificates.describe()] == [""]
    certificates.ensure_public(NAMES)
    assert [each.issuer for each in certificates.describe()] == ["public"]


def test_a_certificate_that_cannot_be_used_is_refused_with_its_file_and_the_reason(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Certificates(tmp_path / name).ensure_public(["x.test"]) for name in ("one", "other"))
    with pytest.raises(CertificateFault, match="is not the key of"):
        certificates.install_public(one / "tls.crt", other / "tls.key")
    with pytest.raises(CertificateFault, match="must be a PEM chain"):
        certificates.install_public(one / "tls.key", one / "tls.key")
    with pytest.raises(CertificateFault, match="must be a PEM chain"):
        certificates.install_public(tmp_path / "none.crt", one / "tls.key")
    monkeypatch.setattr(module, "_LIFE", timedelta(minutes=-1))
    ended = Certificates(tmp_path / "ended").ensure_public(["x.test"])
    with pytest.raises(CertificateFault, match="expired on"):
        certificates.install_public(ended / "tls.crt", ended / "tls.key")
    assert not certificates.public.exists()


def test_pythons_own_tls_takes_the_chain(certificates: Certificates) -> None:
    folder = certificates.ensure_public(NAMES)
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")


def test_a_reader_always_finds_a_certificate_and_its_key(certificates: Certificates) -> None:
    folder = certificates.ensure_workload("edge")
    for _ in range(5):
        version = (folder / "..data").resolve()
        certificates.rotate()
        # The version before is still there for whoever has begun to read it.
        assert sorted(each.name for each in version.iterdir()) == ["ca.crt", "tls.crt", "tls.key"]
    assert len([each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()]) == 2


def test_what_is_described_says_until_when_it_is_good(certificates: Certificates) -> None:
    certificates.ensure_public(NAMES)
    (described,) = certificates.describe()
    assert (described.name, described.names) == ("public", NAMES)
    assert described.days_left(datetime.now(UTC)) == 29
