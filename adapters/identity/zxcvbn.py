"""How many guesses a password takes, estimated by zxcvbn (Wheeler, USENIX Security 2016)."""

from collections.abc import Sequence

from zxcvbn import zxcvbn

_WINDOW = 24
"""Characters looked at together. The work grows with a power of them: what takes 0.3 s at 24 takes 16 s at 64."""
_LONGEST_WORD = 64


def score(password: str, personal: Sequence[str]) -> int:
    """Returns 0 (guessed at once) to 4. `personal` words count as the first an attacker tries, and so do the parts of an address.

    Of a long password its beginning and its end are looked at: the whole is no easier to guess than either.
    """
    words = {part[:_LONGEST_WORD] for word in personal for part in (word, *word.replace("@", " ").replace(".", " ").split())}
    parts = {password[:_WINDOW], password[-_WINDOW:]}
    return max(int(zxcvbn(each, user_inputs=sorted(words))["score"]) for each in parts)
