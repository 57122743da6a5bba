"""Where a stack keeps everything: one directory."""

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Home:
    """The paths below a stack's directory (`.paideia`)."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def certificates(self) -> Path:
        """Those of the public door and of the mesh, with their keys and authorities."""
        return self.path / "certificates"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def mails(self) -> Path:
        """What the stack's mail server took, a file a mail."""
        return self.path / "data" / "mails"

    @property
    def objects(self) -> Path:
        """What the stack's S3 holds: a folder a bucket."""
        return self.path / "data" / "objects"

    @property
    def wal_archive(self) -> Path:
        """Finished segments of PostgreSQL's write-ahead log that wait for the next backup."""
        return self.path / "data" / "wal-archive"

    @property
    def backups(self) -> Path:
        """Where backups go unless another place is named."""
        return self.path / "backups"

    @property
    def run(self) -> Path:
        """Generated configuration; may be removed at any time while the stack is down."""
        return self.path / "run"

    @property
    def record(self) -> Path:
        """`stack.json`: what runs, where, since when."""
        return self.path / "stack.json"

    @property
    def settings(self) -> Path:
        """`settings.json`: what the last start was asked for, so that the next one need not be told."""
        return self.path / "settings.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.path / "supervisor.lock"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def create(self) -> None:
        """Makes the directories. Others may pass through, as PostgreSQL's own account must, but list and read nothing."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711)
        for directory in (self.data, self.secrets, self.certificates, self.logs, self.run):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o711 if directory == self.data else 0o700)


def find_home(chosen: Path | None = None) -> Home:
    """`--home`, else PAIDEIA_HOME, else `.paideia` of the checkout, or of the current directory when installed without one."""
    if chosen is None and os.environ.get("PAIDEIA_HOME"):
        chosen = Path(os.environ["PAIDEIA_HOME"])
    if chosen is None:
        chosen = (CHECKOUT if (CHECKOUT / "pyproject.toml").exists() else Path.cwd()) / ".paideia"
    return Home(chosen.expanduser().resolve())
