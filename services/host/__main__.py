"""`python -m services.host identity catalog ...`: runs the named contexts in this process."""

import asyncio
import gc
import sys

import uvloop

from adapters.shared.mesh import UnreadableCertificates
from adapters.shared.resources import MissingSecret
from services.host.host import CONTEXTS, Host
from services.host.memory import keep_freed_memory
from services.host.observability import log_as_json
from services.host.settings import WrongSetting, read_settings


def main() -> None:
    names = sys.argv[1:]
    unknown = [each for each in names if each not in CONTEXTS]
    if not names or unknown:
        sys.exit(
            f"usage: python -m services.host CONTEXT ...\ncontexts: {', '.join(CONTEXTS)}"
            + "".join(f"\nunknown: {each}" for each in unknown)
        )
    try:
        settings = read_settings()
    except WrongSetting as error:
        sys.exit(str(error))
    log_as_json("+".join(names), settings.log_level)
    keep_freed_memory()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # What start-up made stays for good, and requests leave few cycles: collections are rarer, and walk only what came since.
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        try:
            runner.run(Host(settings, names).run())
        except (MissingSecret, UnreadableCertificates) as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
