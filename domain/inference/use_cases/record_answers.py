from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from domain.inference.history import Entry
from domain.inference.model import Told
from domain.inference.ports import NewInferenceUnit


@dataclass(frozen=True, slots=True)
class RecordAnswers:
    """Puts answers that the log tells of to their learners' newest ones; each counts once."""

    new_unit: NewInferenceUnit

    async def __call__(self, organization: str, told: Iterable[Told]) -> None:
        entries: defaultdict[str, list[Entry]] = defaultdict(list)
        for each in told:
            entries[each.learner].append(each.entry)
        async with self.new_unit(organization) as unit:
            await unit.histories.add(entries)
            await unit.commit()
