from domain.identity.passwords import check_strength
from domain.identity.ports import PasswordHasher
from domain.shared.errors import InvalidInput

LEAST_SCORE = 3
"""Of zxcvbn: safe against offline guessing of a slow hash, from 10^8 guesses on."""


async def hash_new_password(passwords: PasswordHasher, password: str, field: str, *personal: str) -> str:
    """Returns the hash of a password somebody chose. Raises InvalidInput naming `field` if it is too easily guessed.

    `personal` are words an attacker knows: user id, e-mail address, name, organization.
    """
    check_strength(password, field, *personal)
    if await passwords.guessability(password, [word for word in personal if word]) < LEAST_SCORE:
        raise InvalidInput.of(field, "is too easily guessed: take more words, or rarer ones")
    return await passwords.hash(password)
