"""The session that `paideia sign-in` opened and later commands go on with: one file, readable by its owner only."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class KeptSession:
    """Who is signed in, and where. `organization` is a bare id; `good_until` is when the access token ends, in Unix seconds."""

    url: str
    organization: str
    login: str
    access_token: str
    good_until: float
    refresh_token: str


class SessionFile:
    def __init__(self, home: Path) -> None:
        self._path = home / "session.json"

    def read(self) -> KeptSession | None:
        """Returns the session, or None if there is none or the file is not one of ours."""
        try:
            return KeptSession(**json.loads(self._path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, session: KeptSession) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(session), file)
        draft.replace(self._path)

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time: a refresh token is good once, and a second use of it would end the session."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
