"""Starts processes that end with their supervisor, even when it is killed.

Run as a script it is the first moment of each child: it stands back as told, becomes the child's account, asks the kernel for a signal on
the parent's death (Linux), and turns into the program. A separate script, since nothing may safely run between fork and exec in a process
with threads.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stack.part import Command

_PR_SET_PDEATHSIG = 1


def launch(command: "Command", stop_signal: signal.Signals) -> dict[str, Any]:
    """Returns the keyword arguments that start the command by `subprocess.Popen` or asyncio, in a session of its own.

    PostgreSQL, too, is told to end and not killed: its "fast" stop leaves nothing to recover.
    """
    how = {"signal": int(stop_signal), "parent": os.getpid(), "account": command.account, "niceness": command.niceness}
    return {
        "args": [sys.executable, "-I", "-S", __file__, json.dumps(how), *command.argv],
        "env": dict(command.environment),
        "start_new_session": True,
    }


async def run_once(command: "Command", what: str) -> None:
    """Runs a short command to its end. Raises PartFailed with the last line it wrote when it fails."""
    from stack.part import PartFailed

    start = launch(command, signal.SIGTERM)
    process = await asyncio.create_subprocess_exec(
        *start.pop("args"),
        **start,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
        raise PartFailed(f"{what} ended with code {process.returncode}: {' / '.join(lines[-3:]) or 'it wrote nothing'}")


def _become(how: Mapping[str, Any], argv: list[str]) -> None:
    import ctypes  # now: the other account may not be able to read our installation
    import pwd

    if how["niceness"]:
        os.nice(how["niceness"])
        # Kernels that share the processors out by session first look here.
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(how["niceness"]))
    if how["account"]:
        account = pwd.getpwnam(how["account"])
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        os.environ["HOME"] = "/"
        os.chdir("/")
    if sys.platform == "linux":
        # After the change of account, which clears it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how["signal"])
        if os.getppid() != how["parent"]:  # it died before we asked
            sys.exit("the supervisor is gone")
    try:
        os.execv(argv[0], argv)  # noqa: S606  # argument lists of our own, and no shell
    except OSError as error:
        sys.exit(f"{Path(argv[0]).name} does not start: {error.strerror}")


if __name__ == "__main__":
    _become(json.loads(sys.argv[1]), sys.argv[2:])
