"""`python -m stack HOME`: the supervisor. `paideia up` starts it in the background; this way it stays in the foreground."""

import asyncio
import sys
from pathlib import Path

from stack.assembly import Assembly
from stack.certificates import CertificateFault, Certificates
from stack.control import LOST_THE_RACE
from stack.home import Home, find_home
from stack.part import Part, PartFailed
from stack.record import StackRecord
from stack.settings import StackSettings, WrongSetting
from stack.supervisor import AlreadyRunning, StackFailed, Supervisor, check_ports, only_supervisor, stop_orphans

FAILED = 1
_RENEWAL_SECONDS = 3600.0


def supervise(home: Home) -> None:
    """Runs the stack of that directory until it is told to stop. Raises StackFailed, PartFailed, WrongSetting."""
    home.create()
    with only_supervisor(home):
        stop_orphans(home)
        settings = StackSettings.read(home)
        assembly = Assembly(home, settings)
        parts = assembly.parts()
        record = assembly.record(parts)
        try:
            check_ports(parts, settings.port_base)
        except StackFailed as error:
            record.state, record.error = "failed", str(error)
            record.write(home.record)
            raise
        asyncio.run(_run(parts, home, record, settings.start_seconds))


async def _run(parts: list[Part], home: Home, record: StackRecord, start_seconds: float) -> None:
    renewing = asyncio.create_task(_renew_certificates(Certificates(home.certificates)))
    try:
        await Supervisor(parts, home, record, start_seconds).run()
    finally:
        renewing.cancel()


async def _renew_certificates(certificates: Certificates) -> None:
    """Issues certificates anew well before they end, for as long as the stack runs; everybody reads them by themselves."""
    while True:
        await asyncio.sleep(_RENEWAL_SECONDS)
        try:
            renewed = await asyncio.to_thread(certificates.renew_due)
            if renewed:
                print(f"certificates issued anew: {', '.join(renewed)}", flush=True)
        except (CertificateFault, OSError) as error:
            print(f"certificates could not be issued anew: {error}", file=sys.stderr, flush=True)


def main() -> None:
    home = find_home(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    try:
        supervise(home)
    except AlreadyRunning as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(LOST_THE_RACE)
    except (StackFailed, PartFailed, WrongSetting) as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
