"""Sessions that commands go on with, a file each, readable by their owner only: that of `paideia sign-in`, and one for each account whose
password is in the stack's folder."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KeptSession:
    """Who is signed in, and where. `organization` is a bare id; `good_until` is when the access token ends, in Unix seconds."""

    url: str
    organization: str
    login: str
    access_token: str
    good_until: float
    refresh_token: str


class Sessions(Protocol):
    """Where a session is kept from one request, or one command, to the next."""

    def read(self) -> KeptSession | None: ...

    def write(self, session: KeptSession) -> None: ...

    def delete(self) -> None: ...

    def locked(self) -> AbstractContextManager[None]:
        """One at a time: a refresh token is good once, and a second use of it would end the session."""
        ...


class SessionInMemory(Sessions):
    """For one command, which ends it when it is done."""

    def __init__(self) -> None:
        self._session: KeptSession | None = None

    def read(self) -> KeptSession | None:
        return self._session

    def write(self, session: KeptSession) -> None:
        self._session = session

    def delete(self) -> None:
        self._session = None

    def locked(self) -> AbstractContextManager[None]:
        return nullcontext()


class SessionFile(Sessions):
    def __init__(self, path: Path) -> None:
        self._path = path

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
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def signed_in(home: Path) -> SessionFile:
    """The session of `paideia sign-in`."""
    return SessionFile(home / "session.json")


def session_of(home: Path, organization: str, login: str) -> SessionFile:
    """The session that commands open by themselves for an account whose password they find in `home`."""
    name = sha256(f"{organization}/{login}".encode()).hexdigest()[:16]
    return SessionFile(home / "sessions" / f"{name}.json")


def kept_in(home: Path) -> list[SessionFile]:
    """All of them."""
    return [signed_in(home), *(SessionFile(each) for each in sorted((home / "sessions").glob("*.json")))]
