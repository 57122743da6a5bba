"""Time-based one-time passwords: RFC 6238 with SHA-1, six digits and steps of 30 s, which is what authenticator apps offer."""

import base64
import hmac
import re
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote, urlencode

from domain.shared.errors import InvalidInput

STEP_SECONDS = 30
DIGITS = 6
WINDOW = 1
"""Steps by which the clocks of phone and server may differ, either way."""
SECRET_BYTES = 20
"""RFC 4226, section 4: 160 bits."""

_CODE = re.compile(rf"[0-9]{{{DIGITS}}}")
_NO_STEP = -1


@dataclass(frozen=True, slots=True)
class TotpFactor:
    """A user's authenticator app. `sealed_secret` opens in the vault only; `last_step` is the latest step whose code was accepted."""

    user: str
    sealed_secret: bytes
    enrolled_at: datetime
    confirmed_at: datetime | None = None
    last_step: int = _NO_STEP

    @property
    def confirmed(self) -> bool:
        return self.confirmed_at is not None

    def used(self, step: int, now: datetime) -> "TotpFactor":
        """With codes up to this step spent. The first code that is accepted confirms that the app has the secret."""
        return replace(self, last_step=step, confirmed_at=self.confirmed_at or now)


def step_at(moment: datetime) -> int:
    return int(moment.timestamp()) // STEP_SECONDS


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """Returns the code of a step: HOTP of RFC 4226, section 5.3, with the step as its counter."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: bytes, code: str, now: datetime) -> int | None:
    """Returns the step, not further than WINDOW from now, whose code this is; the latest if two steps share a code; None for a wrong one."""
    current = step_at(now)
    matching = None
    for step in range(max(0, current - WINDOW), current + WINDOW + 1):
        if hmac.compare_digest(code_at(secret, step), code):
            matching = step
    return matching


def checked_code(code: str, field: str) -> str:
    """Returns the digits of a code as somebody typed it, or raises InvalidInput if it cannot be one."""
    digits = code.replace(" ", "")
    if len(code) > 2 * DIGITS or not _CODE.fullmatch(digits):
        raise InvalidInput.of(field, f"must be the {DIGITS} digits that the authenticator app shows")
    return digits


def secret_text(secret: bytes) -> str:
    """Returns the secret in base32, as people type it into an app that cannot read the QR code."""
    return base64.b32encode(secret).decode().rstrip("=")


def provisioning_uri(secret: bytes, organization: str, user: str) -> str:
    """Returns what the QR code shows: the `otpauth` address that authenticator apps agree upon."""
    label = quote(f"Paideia {organization}:{user}", safe="")
    parameters = {"secret": secret_text(secret), "issuer": f"Paideia {organization}", "digits": DIGITS, "period": STEP_SECONDS}
    return f"otpauth://totp/{label}?{urlencode(parameters, quote_via=quote)}"
