"""Between privacy's messages and its domain."""

from collections.abc import Sequence
from typing import Any

from paideia.identity.v1 import privacy_pb2 as pb

from domain.identity.consents import Consent, Purpose, current
from domain.identity.directory import DirectoryInformation
from domain.identity.privacy import PrivacyJob, Receipt
from domain.identity.privacy_settings import PrivacySettings
from domain.shared.errors import InvalidInput
from services.shared.names import id_in
from services.shared.times import timestamp

SETTINGS_FIELDS = frozenset({"erasure_grace_days", "inactive_account_days", "mail_days", "sign_in_days", "directory_information"})
_DIRECTORY: dict[int, DirectoryInformation | None] = {
    pb.DIRECTORY_INFORMATION_UNSPECIFIED: None,
    pb.DIRECTORY_INFORMATION_SHARED: DirectoryInformation.SHARED,
    pb.DIRECTORY_INFORMATION_WITHHELD: DirectoryInformation.WITHHELD,
}
_RENEWED, _BEGINS = "renewed", "begins"


def job_message(job: PrivacyJob, link: str = "") -> pb.PrivacyJob:
    return pb.PrivacyJob(
        name=f"privacyJobs/{job.id}",
        kind=f"PRIVACY_JOB_KIND_{job.kind}",
        user=f"users/{job.user}",
        requester=f"users/{job.requested_by}",
        state=f"PRIVACY_JOB_STATE_{job.state}",
        create_time=timestamp(job.created_at),
        due_time=timestamp(job.due_at),
        finish_time=None if job.finished_at is None else timestamp(job.finished_at),
        expire_time=None if job.expires_at is None else timestamp(job.expires_at),
        receipts=map(_receipt_message, job.receipts),
        progress=job.progress,
        download_uri=link,
        sha256=job.digest,
        byte_count=job.byte_count,
    )


def _receipt_message(receipt: Receipt) -> pb.PrivacyReceiptLine:
    return pb.PrivacyReceiptLine(context=receipt.context, time=timestamp(receipt.at), records=receipt.records)


def purpose_message(purpose: Purpose) -> pb.Purpose:
    return pb.Purpose(
        name=f"purposes/{purpose.id}",
        version=purpose.version,
        text=purpose.text,
        publish_time=timestamp(purpose.published_at),
    )


def consent_message(consent: Consent, *, counts: bool) -> pb.Consent:
    return pb.Consent(
        user=f"users/{consent.user}",
        purpose=f"purposes/{consent.purpose}",
        version=consent.version,
        given=consent.given,
        by=f"users/{consent.by}",
        time=timestamp(consent.at),
        current=counts,
    )


def history_messages(history: Sequence[Consent]) -> list[pb.Consent]:
    newest = current(tuple(history))
    return [consent_message(each, counts=at in newest) for at, each in enumerate(history)]


def settings_message(organization: str, settings: PrivacySettings) -> pb.PrivacySettings:
    return pb.PrivacySettings(
        name=f"organizations/{organization}/privacySettings",
        erasure_grace_days=settings.erasure_grace_days,
        inactive_account_days=settings.inactive_account_days,
        mail_days=settings.mail_days,
        sign_in_days=settings.sign_in_days,
        directory_information=f"DIRECTORY_INFORMATION_{settings.directory_information}",
    )


def settings_changes(settings: pb.PrivacySettings, fields: frozenset[str]) -> dict[str, Any]:
    """Raises InvalidInput."""
    changes: dict[str, Any] = {each: getattr(settings, each) for each in fields}
    if "directory_information" in fields:
        chosen = directory_from(settings.directory_information, "settings.directory_information")
        changes["directory_information"] = chosen or DirectoryInformation.SHARED
    return changes


def directory_from(number: int, field: str = "directory_information") -> DirectoryInformation | None:
    """None for UNSPECIFIED. Raises InvalidInput."""
    try:
        return _DIRECTORY[number]
    except KeyError:
        raise InvalidInput.of(field, "must be SHARED or WITHHELD") from None


def choice_message(user_id: str, choice: DirectoryInformation | None, *, withheld: bool) -> pb.DirectoryChoice:
    chosen = f"DIRECTORY_INFORMATION_{choice}" if choice else "DIRECTORY_INFORMATION_UNSPECIFIED"
    return pb.DirectoryChoice(user=f"users/{user_id}", directory_information=chosen, withheld=withheld)


def organization_in(name: str, field: str = "name") -> str:
    """Returns the organization of the name of its settings, or raises InvalidInput."""
    parent, slash, last = name.rpartition("/")
    if (slash, last) != ("/", "privacySettings"):
        raise InvalidInput.of(field, "must be a name of the form organizations/{organization}/privacySettings")
    return id_in(parent, "organizations", field)


def place_token(place: tuple[str, bool] | None) -> str:
    """Where the renewal of keys goes on, as a token."""
    return "" if place is None else f"{_RENEWED if place[1] else _BEGINS}/{place[0]}"


def place_in(token: str) -> tuple[str, bool]:
    """Raises InvalidInput."""
    if not token:
        return "", True
    phase, slash, organization = token.partition("/")
    if phase not in (_RENEWED, _BEGINS) or not slash:
        raise InvalidInput.of("page_token", "must be the next_page_token of the step before, unchanged")
    return id_in(f"organizations/{organization}", "organizations", "page_token"), phase == _RENEWED
