from collections.abc import AsyncIterator
from dataclasses import dataclass

from domain.identity.ports import IdentityUnit, NewUnit
from domain.identity.provisioning import Kind, Listing, Resource
from domain.identity.provisioning_filter import Filter, parse_filter
from domain.identity.use_cases.provisioned_directory import Directories, Directory
from domain.shared.caller import Caller

MOST_RESOURCES = 200
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ListProvisioned:
    """A filter that names an id, an external id or a user name looks those up; any other one looks at everybody."""

    new_unit: NewUnit
    directories: Directories

    async def __call__(self, caller: Caller, kind: Kind, filter_text: str, start: int, count: int) -> Listing:
        """`start` counts from 1."""
        skipped, count = max(start - 1, 0), min(max(count, 0), MOST_RESOURCES)
        directory = self.directories[kind]
        async with self.new_unit(caller.organization) as unit:
            if not filter_text.strip():
                ids = await unit.provisioned.ids(kind, count, offset=skipped)
                found = await directory.read(unit, ids)
                return Listing(tuple(found[each] for each in ids if each in found), await unit.provisioned.count(kind))
            wanted = parse_filter(filter_text, kind.attributes)
            shown: list[Resource] = []
            total = 0
            async for each in _looked_at(unit, directory, wanted):
                if wanted.matches(each.attributes):
                    if skipped <= total < skipped + count:
                        shown.append(each)
                    total += 1
        return Listing(tuple(shown), total)


async def _looked_at(unit: IdentityUnit, directory: Directory, wanted: Filter) -> AsyncIterator[Resource]:
    """In order of their ids."""
    narrowed = await directory.candidates(unit, wanted)
    if narrowed is not None:
        found = await directory.read(unit, sorted(narrowed))
        for each in sorted(found):
            yield found[each]
        return
    last = ""
    while ids := await unit.provisioned.ids(directory.kind, _AT_ONCE, after=last):
        found = await directory.read(unit, ids)
        for each in ids:
            if each in found:
                yield found[each]
        last = ids[-1]
