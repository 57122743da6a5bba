"""Secrets of a stack: one file each, readable by its owner only, made once and never printed."""

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

# Without letters and digits that look alike, or vowels that make words.
_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"


@dataclass(frozen=True, slots=True)
class SecretFiles:
    directory: Path

    def password(self, name: str) -> str:
        """Returns a password for programs: 192 random bits."""
        return self._once(name, secrets.token_urlsafe(24))

    def key(self, name: str) -> str:
        """Returns a key: 32 random bytes in base64."""
        return self._once(name, base64.b64encode(secrets.token_bytes(32)).decode())

    def typed_password(self, name: str) -> str:
        """Returns a password that people can type: 95 random bits in groups of four."""
        return self._once(name, "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(5)))

    def path(self, name: str) -> Path:
        return self.directory / name

    def _once(self, name: str, fresh: str) -> str:
        """Returns the secret of that name, or stores the fresh one whole: a reader never sees half of it."""
        path = self.path(name)
        if not path.exists():
            self.write(name, fresh)
        return path.read_text().strip()

    def write(self, name: str, value: str) -> None:
        """Stores a secret whole, in place of the one that there may be."""
        path = self.path(name)
        draft = path.with_name(f".{name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
