"""A folder's files as one encrypted content: AES-256-GCM under a key that scrypt makes of a passphrase."""

import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from stack.backup.repository import BackupFailed

_MAGIC = b"paideia-sealed-1\n"
_SALT, _NONCE = 16, 12


def seal(root: Path, paths: Iterable[str], passphrase: str) -> bytes:
    """Returns files below `root`, with their modes and times, sealed."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for each in paths:
            archive.add(root / each, each, recursive=False)
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    return _MAGIC + salt + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, plain.getvalue(), _MAGIC)


def unseal(sealed: bytes, passphrase: str, root: Path) -> None:
    """Writes the files below `root`. Raises BackupFailed when the passphrase is another, or the content was changed."""
    salt, nonce, text = (
        sealed[len(_MAGIC) : len(_MAGIC) + _SALT],
        sealed[len(_MAGIC) + _SALT :][:_NONCE],
        sealed[len(_MAGIC) + _SALT + _NONCE :],
    )
    try:
        plain = AESGCM(_key(passphrase, salt)).decrypt(nonce, text, _MAGIC)
    except (InvalidTag, ValueError):
        raise BackupFailed(
            "the passphrase does not open this backup: name the file with the right one by --passphrase-file"
        ) from None
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        archive.extractall(root, filter="data")


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode())
