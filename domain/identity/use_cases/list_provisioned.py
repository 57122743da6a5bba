from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from domain.identity.ports import IdentityUnit, NewUnit
from domain.identity.provisioning import Kind, Listing, Resource
from domain.identity.provisioning_filter import Filter, parse_filter
from domain.identity.provisioning_sort import Order, order_of
from domain.identity.use_cases.provisioned_directory import Directories, Directory
from domain.shared.caller import Caller

MOST_RESOURCES = 200
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ListProvisioned:
    """A filter that names an id, an external id or a user name looks those up; any other one, and an order, looks at everybody."""

    new_unit: NewUnit
    directories: Directories

    async def __call__(
        self, caller: Caller, kind: Kind, filter_text: str, start: int, count: int, sort_by: str = "", descending: bool = False
    ) -> Listing:
        """`start` counts from 1. Without `sort_by` in order of ids."""
        skipped, count = max(start - 1, 0), min(max(count, 0), MOST_RESOURCES)
        directory = self.directories[kind]
        order = order_of(sort_by.strip(), descending, kind.attributes)
        wanted = parse_filter(filter_text, kind.attributes) if filter_text.strip() else None
        async with self.new_unit(caller.organization) as unit:
            if wanted is None and order is None:
                ids = await unit.provisioned.ids(kind, count, offset=skipped)
                return Listing(await _read(unit, directory, ids), await unit.provisioned.count(kind))
            matching = _matching(unit, directory, wanted)
            if order is not None:
                ids = await _sorted(matching, order)
                return Listing(await _read(unit, directory, ids[skipped : skipped + count]), len(ids))
            shown: list[Resource] = []
            total = 0
            async for each in matching:
                if skipped <= total < skipped + count:
                    shown.append(each)
                total += 1
        return Listing(tuple(shown), total)


async def _read(unit: IdentityUnit, directory: Directory, ids: Sequence[str]) -> tuple[Resource, ...]:
    found = await directory.read(unit, ids)
    return tuple(found[each] for each in ids if each in found)


async def _sorted(resources: AsyncIterator[Resource], order: Order) -> list[str]:
    """Returns their ids: of a whole organization, no more than these and what they are sorted by is held at a time."""
    keys = [(order.key(each.attributes), each.id) async for each in resources]
    # The same keys stay in order of ids, so pages neither overlap nor leave anybody out.
    return [each for _, each in sorted(keys, key=lambda pair: pair[0], reverse=order.descending)]


async def _matching(unit: IdentityUnit, directory: Directory, wanted: Filter | None) -> AsyncIterator[Resource]:
    async for each in _looked_at(unit, directory, wanted):
        if wanted is None or wanted.matches(each.attributes):
            yield each


async def _looked_at(unit: IdentityUnit, directory: Directory, wanted: Filter | None) -> AsyncIterator[Resource]:
    """In order of their ids."""
    narrowed = await directory.candidates(unit, wanted) if wanted is not None else None
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
