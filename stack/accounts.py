"""The account of its own that PostgreSQL needs when the platform is started by root, and what it must be able to reach."""

import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from stack.part import PartFailed

NAME = "paideia-postgres"


def ensure_account() -> pwd.struct_passwd:
    """Returns the account, which may sign in nowhere; creates it when it is missing. Raises PartFailed."""
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise PartFailed(
            "PostgreSQL does not run as root, and there is no useradd to make an account for it: run as another user"
        )
    made = subprocess.run(
        [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return pwd.getpwnam(NAME)  # another stack may have been quicker
    except KeyError:
        raise PartFailed(f"PostgreSQL does not run as root, and its account was not made: {made.stderr.strip()}") from None


def open_the_way_to(path: Path) -> None:
    """Lets other accounts pass through the directories above `path`: pass, not list."""
    for directory in path.resolve().parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            directory.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def own(path: Path, account: pwd.struct_passwd) -> None:
    """Gives a directory and all in it to the account."""
    for each in (path, *path.rglob("*")):
        if each.lstat().st_uid != account.pw_uid:
            shutil.chown(each, account.pw_uid, account.pw_gid)


def let_read(path: Path) -> None:
    """Lets other accounts read an installed tree, where an installer with a strict umask kept it to itself."""
    if not path.exists() or path.stat().st_mode & stat.S_IROTH:
        return
    for each in (path, *path.rglob("*")):
        if not each.is_symlink():
            mode = stat.S_IMODE(each.stat().st_mode)
            each.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
