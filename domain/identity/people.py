"""Profiles, guardians, and whose work a person sees."""

import math
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.identity.model import checked_name
from domain.identity.people_settings import checked_locale, checked_time_zone
from domain.shared.errors import Conflict, InvalidInput, NotAllowedNow, NotFound

MOST_EXTRA_TIME = 4.0


class StaleOrganization(Conflict):
    reason = "ORGANIZATION_CHANGED"

    def __init__(self) -> None:
        super().__init__("somebody changed the organization meanwhile: read it again, then repeat with its new etag")


class GuardianshipNotFound(NotFound):
    reason = "GUARDIANSHIP_NOT_FOUND"


class TooManyGuardians(NotAllowedNow):
    reason = "TOO_MANY_GUARDIANS"


@dataclass(frozen=True, slots=True)
class Accessibility:
    """What a person needs of screens and clocks. `extra_time` multiplies every time limit: 1.5 is half as much again; 1 to 4."""

    reduced_motion: bool = False
    high_contrast: bool = False
    dyslexia_font: bool = False
    extra_time: float = 1.0


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person has chosen. An empty `locale` or `time_zone` means the organization's. `directory_withheld` is told, not kept here."""

    user: str
    display_name: str = ""
    locale: str = ""
    time_zone: str = ""
    accessibility: Accessibility = field(default_factory=Accessibility)
    directory_withheld: bool = False


@dataclass(frozen=True, slots=True)
class ProfileChanges:
    """The fields to change, as `fields` names them; the others are not looked at."""

    fields: frozenset[str]
    display_name: str = ""
    locale: str = ""
    time_zone: str = ""
    accessibility: Accessibility = field(default_factory=Accessibility)

    def applied_to(self, profile: Profile) -> Profile:
        """Raises InvalidInput naming the field at fault."""
        if "display_name" in self.fields:
            profile = replace(profile, display_name=checked_name(self.display_name, "profile.display_name", required=False))
        if "locale" in self.fields:
            profile = replace(profile, locale=self.locale and checked_locale(self.locale, "profile.locale"))
        if "time_zone" in self.fields:
            profile = replace(profile, time_zone=self.time_zone and checked_time_zone(self.time_zone, "profile.time_zone"))
        if "accessibility" in self.fields:
            given = self.accessibility
            if not (math.isfinite(given.extra_time) and 1.0 <= given.extra_time <= MOST_EXTRA_TIME):
                raise InvalidInput.of("profile.accessibility.extra_time", f"must be a factor from 1 to {MOST_EXTRA_TIME:g}")
            profile = replace(profile, accessibility=given)
        return profile


@dataclass(frozen=True, slots=True)
class Guardianship:
    """A guardian may read a learner's work, and change nothing of it."""

    guardian: str
    learner: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose work a person sees besides their own: as a teacher `taught` (None: every learner's), as a guardian `wards`."""

    taught: frozenset[str] | None = frozenset()
    wards: frozenset[str] = frozenset()
