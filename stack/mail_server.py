"""`python -m stack.mail_server`: takes mails by SMTP on this machine and keeps each in a file of its own, `{time}-{number}.eml`.

Arguments: directory, port. The newest 2,000 are kept. To see what becomes of a mail that cannot be delivered: a recipient whose address
begins with `refuse` is refused for good (550), one that begins with `busy` for the time being (451).
"""

import asyncio
import itertools
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

_MOST_KEPT = 2_000
_LARGEST = 4 * 1024 * 1024


class Keeper:
    """aiosmtpd's handler."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    async def handle_RCPT(  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if address.startswith("refuse"):
            return "550 5.1.1 nobody here has this address"
        if address.startswith("busy"):
            return "451 4.3.0 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # aiosmtpd's name
        content = envelope.content or b""
        self._keep(content if isinstance(content, bytes) else content.encode())
        return "250 OK"

    def _keep(self, content: bytes) -> None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{next(self._numbers)}"
        unfinished = self._directory / f"{name}.part"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        unfinished.rename(unfinished.with_suffix(".eml"))
        for old in sorted(self._directory.glob("*.eml"))[:-_MOST_KEPT]:
            old.unlink(missing_ok=True)


async def serve(directory: Path, port: int) -> None:
    """Takes mails until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    keeper = Keeper(directory)
    server = await loop.create_server(
        lambda: SMTP(keeper, hostname="localhost", data_size_limit=_LARGEST, ident="Paideia", loop=loop), "127.0.0.1", port
    )
    async with server:
        await stopping.wait()


def main() -> None:
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
