"""A decision made again from what was stored, and compared with its record to the last digit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace

from domain.scheduler.decide import ENGINE, decide
from domain.scheduler.difficulties import DifficultyChain, DifficultyEpoch
from domain.scheduler.model import Decision, LearnerUpdate, Publication, Repair
from domain.scheduler.policy import Policy
from domain.scheduler.pool import compiled
from domain.scheduler.state import LearnerState, lineage_after
from domain.shared.errors import NotAllowedNow


class HistoryIncomplete(NotAllowedNow):
    reason = "HISTORY_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a decision was made with: the publication, the learner's attempts that it knew with the repairs up to them, whether it knew
    these or not, the epochs of difficulties, the policy."""

    publication: Publication
    updates: Sequence[LearnerUpdate]
    epochs: Sequence[DifficultyEpoch]
    policy: Policy


@dataclass(frozen=True, slots=True)
class Replay:
    """`difference` is the first field that differs, with its recorded and its replayed value; empty if nothing does."""

    decision: Decision
    difference: str

    @property
    def identical(self) -> bool:
        return not self.difference


def must_be_replayable(record: Decision) -> None:
    """Raises HistoryIncomplete for a record that this code cannot have made."""
    if record.engine_version != ENGINE:
        made_by = f"by the engine {record.engine_version}" if record.engine_version else "before inputs were kept"
        raise HistoryIncomplete(f"decision {record.id} was made {made_by}; this is {ENGINE}")


def replay(record: Decision, inputs: Inputs) -> Replay:
    """Returns the decision made again. Raises HistoryIncomplete if the inputs are not those that the record names."""
    must_be_replayable(record)
    state = LearnerState.new().after(known_by(record.state_lineage, inputs.updates))
    if (state.sequence, state.lineage) != (record.learner_sequence, record.state_lineage):
        raise HistoryIncomplete(
            f"decision {record.id} knew {record.learner_sequence} attempts of the learner; "
            f"of these, the log has not delivered all, or not as they were known"
        )
    chain = DifficultyChain().after(inputs.epochs)
    if chain.number != record.difficulty_epoch:
        raise HistoryIncomplete(
            f"decision {record.id} used epoch {record.difficulty_epoch} of the difficulties, which is not kept"
        )
    pool = compiled(inputs.publication)
    decision = decide(pool, chain.of(pool), state, inputs.policy, record.request(), record.decided_at)
    decision = replace(decision, shadow_of=record.shadow_of)
    return Replay(decision, next(differences("", record, decision), ""))


def known_by(lineage: int, updates: Sequence[LearnerUpdate]) -> Sequence[LearnerUpdate]:
    """Returns those of a learner's updates, given in order, that a state of this lineage has; all if no such state can be made of them.

    A state has every attempt, and the repairs up to one of them: the last one of the attempt that it ends with may have come after the
    decision, and a state that was told of an attempt at once may not have been told yet of a repair before it.
    """
    newest, lineages = 0, {0: 0}  # by the last repair that is in them
    for update in updates:
        if isinstance(update, Repair):
            lineages[update.revision] = lineage_after(lineages[newest], update)
            newest = update.revision
        else:
            lineages = {revision: lineage_after(each, update) for revision, each in lineages.items()}
    last = next((revision for revision, each in lineages.items() if each == lineage), newest)
    return [each for each in updates if each.version[1] <= last]


def differences(path: str, recorded: object, replayed: object) -> Iterator[str]:
    """Yields every field in which two values differ."""
    if is_dataclass(recorded) and type(recorded) is type(replayed):
        for each in fields(recorded):
            yield from differences(f"{path}.{each.name}".lstrip("."), getattr(recorded, each.name), getattr(replayed, each.name))
    elif isinstance(recorded, tuple) and isinstance(replayed, tuple) and len(recorded) == len(replayed):
        names = getattr(recorded, "_fields", None)
        for number, (before, after) in enumerate(zip(recorded, replayed, strict=True)):
            yield from differences(f"{path}.{names[number]}" if names else f"{path}[{number}]", before, after)
    elif recorded != replayed:
        yield f"{path}: {recorded!r} was recorded, {replayed!r} came out"
