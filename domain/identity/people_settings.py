"""What an organization chooses, and what a person chooses, about language, time and who gets in."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.shared.errors import InvalidInput, NotAllowedNow

_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9+_-]*(/[A-Za-z0-9+_-]+){0,2}")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# As browsers write it: no path, no capitals, the port only where it is not the scheme's own. Without TLS on one's own machine only.
_ORIGIN = re.compile(
    r"https://(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?::[1-9][0-9]{0,4})?"
    r"|http://(?:localhost|127\.0\.0\.1)(?::[1-9][0-9]{0,4})?"
)
_MOST_ORIGINS = 20
_MOST_DOMAINS = 50
_LONGEST_DOMAIN = 253
_LONGEST_ZONE = 64


class SignUpPolicy(StrEnum):
    """Who may become a learner without being invited."""

    CLOSED = "CLOSED"
    BY_DOMAIN = "BY_DOMAIN"
    OPEN = "OPEN"


class TeachersSee(StrEnum):
    """Whose work a teacher sees: every learner's, or that of the learners in classes they teach."""

    ALL = "ALL"
    CLASSES = "CLASSES"


class SignUpClosed(NotAllowedNow):
    """The same for an organization that is not there: who asks learns the policy, never who exists."""

    reason = "SIGN_UP_CLOSED"

    def __init__(self) -> None:
        super().__init__("this organization does not take sign-ups from this address: ask it for an invitation")


@dataclass(frozen=True, slots=True)
class OrganizationSettings:
    """`locale` is a BCP 47 tag, `time_zone` an IANA name; `sign_up_domains` count under BY_DOMAIN only, subdomains not included.

    `allowed_origins` are those of web pages that may use the API with the organization's tokens.
    """

    locale: str = "en"
    time_zone: str = "UTC"
    sign_up: SignUpPolicy = SignUpPolicy.CLOSED
    sign_up_domains: tuple[str, ...] = ()
    teachers_see: TeachersSee = TeachersSee.ALL
    allowed_origins: tuple[str, ...] = ()

    def check_sign_up(self, email: str) -> None:
        """Raises SignUpClosed unless somebody with this (normalised) address may sign up."""
        domain = email.rpartition("@")[2]
        if self.sign_up is SignUpPolicy.OPEN or (self.sign_up is SignUpPolicy.BY_DOMAIN and domain in self.sign_up_domains):
            return
        raise SignUpClosed

    def checked(self) -> "OrganizationSettings":
        """Returns them in normal form, or raises InvalidInput naming the field at fault."""
        domains = tuple(sorted({each.strip().lower() for each in self.sign_up_domains}))
        if len(domains) > _MOST_DOMAINS:
            raise InvalidInput.of("organization.sign_up_domains", f"must be at most {_MOST_DOMAINS}")
        for each in domains:
            if len(each) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(each):
                raise InvalidInput.of("organization.sign_up_domains", "must be domains such as example.org")
        if self.sign_up is SignUpPolicy.BY_DOMAIN and not domains:
            raise InvalidInput.of("organization.sign_up_domains", "must name a domain while sign_up_policy is BY_DOMAIN")
        origins = tuple(sorted({each.strip().lower().removesuffix("/") for each in self.allowed_origins}))
        if len(origins) > _MOST_ORIGINS:
            raise InvalidInput.of("organization.allowed_origins", f"must be at most {_MOST_ORIGINS}")
        if not all(map(is_origin, origins)):
            raise InvalidInput.of(
                "organization.allowed_origins", "must be origins such as https://learn.example.org, without a path"
            )
        checked_locale(self.locale, "organization.locale")
        checked_time_zone(self.time_zone, "organization.time_zone")
        return replace(self, sign_up_domains=domains, allowed_origins=origins)


def is_origin(text: str) -> bool:
    """Whether it is an origin as browsers send it, and one that may be allowed."""
    return len(text) <= _LONGEST_DOMAIN and _ORIGIN.fullmatch(text) is not None


def checked_locale(value: str, field: str) -> str:
    """Returns a language tag of language, script and region, or raises InvalidInput."""
    if not _LOCALE.fullmatch(value):
        raise InvalidInput.of(field, "must be a language tag such as en, de-AT or zh-Hant-TW")
    return value


def checked_time_zone(value: str, field: str) -> str:
    """Returns a name of the IANA time zone database, or raises InvalidInput."""
    try:
        if len(value) > _LONGEST_ZONE or not _ZONE.fullmatch(value):
            raise ValueError
        # Some names are folders or files of other kinds, which only the attempt shows.
        if abs(datetime(2026, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(value)).utcoffset() or timedelta()) > timedelta(days=1):
            raise ValueError
    except (ValueError, OSError, KeyError):
        raise InvalidInput.of(field, "must be a time zone such as Europe/Vienna") from None
    return value
