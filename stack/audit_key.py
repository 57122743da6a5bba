"""The key that signs the heads of audit chains, and the public keys of those before it."""

import base64
import fcntl
import hmac
import os
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stack.secret_files import SecretFiles

KEY, EARLIER = "audit_key", "audit_public_keys_previous"


def rotate_audit_key(files: SecretFiles) -> str:
    """Makes a new key and keeps the public key of the old one, which nobody can sign with any more. Returns the new one's public key.

    The public key is kept first: whatever breaks off in between, every head stays verifiable.
    """
    folder = os.open(files.directory, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        earlier = files.path(EARLIER).read_text().split() if files.path(EARLIER).exists() else []
        fresh = secrets.token_bytes(32)
        files.write(EARLIER, "\n".join(dict.fromkeys((_public(_present(files)), *earlier))))
        files.write(KEY, base64.b64encode(fresh).decode())
    finally:
        os.close(folder)
    return _public(fresh)


def _present(files: SecretFiles) -> bytes:
    """As the audit context finds it: an installation that has none yet signs with a key derived from the mesh's."""
    if files.path(KEY).exists():
        return base64.b64decode(files.path(KEY).read_text().strip(), validate=True)
    return hmac.digest(files.key("mesh_key").encode(), b"audit heads", "sha256")


def _public(key: bytes) -> str:
    public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
    return base64.urlsafe_b64encode(public).rstrip(b"=").decode()
