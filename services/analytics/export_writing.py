"""The job that writes exports."""

import asyncio
from dataclasses import dataclass

import structlog

from domain.analytics.use_cases.write_export import WriteExport
from domain.shared.errors import DomainError

log = structlog.get_logger()
_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ExportWriting:
    """Writes what is due, one export after the other, until cancelled; any number of processes may."""

    write: WriteExport

    async def run(self) -> None:
        while True:
            busy = False
            try:
                busy = await self.write()
            except (DomainError, OSError) as error:
                log.warning("exports wait", error=str(error))
            if not busy:
                await asyncio.sleep(_IDLE_SECONDS)
