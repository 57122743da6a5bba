"""Which passwords are too easily guessed (NIST SP 800-63B: length and a blocklist, no composition rules)."""

import re
from itertools import pairwise

from domain.shared.errors import InvalidInput

SHORTEST = 12
LONGEST = 256

_KEYBOARD_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba",
    "01234567890123456789",
    "98765432109876543210",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
)
_COMMON = (
    "abc admin administrator baseball batman changeme charlie chocolate computer correcthorsebatterystaple default "
    "dragon everything facebook flower football freedom friends google guest hello hellothere hunter iloveyou "
    "iloveyousomuch internet jennifer jordan killer learner letmein letmeinplease liverpool login lovely manchester "
    "master michael monkey mustang mypassword newpassword nothing paideia pass passphrase passw passwd password "
    "passwordpassword pokemon princess qazwsx qwerty qwertyqwerty root school secret server shadow starwars student "
    "summer sunshine superman superuser teacher temp test testing thisisapassword thisismypassword trustno user "
    "welcome whatever winter zxcvbnm"
)
_COMMON_WORDS = frozenset(_COMMON.split())
_LOOKALIKES = str.maketrans("013457@$!", "oieastasi")


def check_strength(password: str, field: str, *personal: str) -> None:
    """Raises InvalidInput if the password is too short, too long or easily guessed.

    `personal` are words an attacker knows: user id, e-mail address, organization.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput.of(field, f"must be {SHORTEST} to {LONGEST} characters")
    if weakness := _weakness(password.casefold(), personal):
        raise InvalidInput.of(field, weakness)


def _weakness(password: str, personal: tuple[str, ...]) -> str | None:
    for word in _personal_words(personal):
        if word in password:
            return "must not contain the user's or the organization's name or address"
    if len(set(password)) < 5:
        return "must have at least 5 different characters"
    if _repeats(password):
        return "must not be a short sequence repeated"
    if any(password in run for run in _KEYBOARD_RUNS) or _counts(password):
        return "must not be a sequence of neighbouring keys, letters or digits"
    if not _COMMON_WORDS.isdisjoint({_core(password), _core(password).translate(_LOOKALIKES), _letters(password)}):
        return "must not be a common password or one with digits or signs around it"
    return None


def _personal_words(personal: tuple[str, ...]) -> set[str]:
    words = {word.casefold() for word in personal}
    words |= {word.partition("@")[0] for word in words}
    # Shorter ones occur by chance: a user "al" could hardly find a password.
    return {word for word in words if len(word) >= 4}


def _repeats(password: str) -> bool:
    """Whether it is one unit of at most 6 characters over and over, the last one possibly cut short."""
    return any((password[:unit] * len(password)).startswith(password) for unit in range(1, 7))


def _counts(password: str) -> bool:
    """Whether every character is the successor (or every one the predecessor) of the one before."""
    steps = {ord(after) - ord(before) for before, after in pairwise(password)}
    return steps in ({1}, {-1}, {0})


def _core(password: str) -> str:
    """What remains without digits and signs around it."""
    return re.sub(r"^[^a-z]+|[^a-z]+$", "", password)


def _letters(password: str) -> str:
    return re.sub(r"[^a-z]", "", password)
