from domain.paths.model import Path, PathAdapted
from domain.paths.ports import PathsUnit


async def keep(unit: PathsUnit, path: Path, adapted: PathAdapted | None) -> Path:
    """Saves a path that is there, with its revision and event if it has a new one."""
    await unit.paths.save(path)
    await record(unit, adapted)
    return path


async def record(unit: PathsUnit, adapted: PathAdapted | None) -> None:
    if adapted is not None:
        await unit.revisions.add(adapted.revision)
        await unit.events.add(adapted)
