"""How long an organization keeps what, and whether it shares directory information."""

from dataclasses import dataclass
from datetime import timedelta

from domain.identity.directory import DirectoryInformation
from domain.shared.errors import FieldViolation, InvalidInput

_RANGES = {
    "erasure_grace_days": (0, 90),
    "inactive_account_days": (30, 3650),
    "mail_days": (1, 365),
    "sign_in_days": (1, 3650),
}


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """In days; an `inactive_account_days` of 0 means for ever. `directory_information` counts for whom nobody has chosen."""

    erasure_grace_days: int = 7
    inactive_account_days: int = 0
    mail_days: int = 30
    sign_in_days: int = 90
    directory_information: DirectoryInformation = DirectoryInformation.SHARED

    @property
    def grace(self) -> timedelta:
        return timedelta(days=self.erasure_grace_days)

    def checked(self) -> "PrivacySettings":
        """Raises InvalidInput naming every field that is out of its range."""
        faults = []
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most and not (name == "inactive_account_days" and value == 0):
                zero = " or 0" if name == "inactive_account_days" else ""
                faults.append(FieldViolation(f"settings.{name}", f"must be {least} to {most} days{zero}"))
        if faults:
            raise InvalidInput(faults)
        return self
