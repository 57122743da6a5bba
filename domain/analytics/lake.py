"""The lake: its tables, what a row of each holds, and where a row lies. One table a topic, and one for what no table understands.

Every table begins with the same columns and is partitioned by the day of `time` (UTC) and by a bucket of the organization, so that a question
about some days or about one organization reads only their files. Tables only ever gain columns: an old file has no value for a new one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from domain.shared.errors import Conflict

ORGANIZATION_BUCKETS = 16


class Scalar(Enum):
    """What one value is. A MOMENT is a time with its zone, kept to the microsecond in UTC."""

    TEXT = auto()
    WHOLE = auto()
    REAL = auto()
    YES_NO = auto()
    MOMENT = auto()
    BYTES = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column, or a field of a record. A required one has a value in every row; columns added to a table later cannot be required."""

    name: str
    type: "Scalar | Record | ListOf"
    doc: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A value made of named fields."""

    fields: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """Any number of values, in order."""

    element: Scalar | Record


@dataclass(frozen=True, slots=True)
class LakeTable:
    """A table: what it is called, the topic whose events are its rows, and its columns."""

    name: str
    topic: str
    columns: tuple[Column, ...]


Row = Mapping[str, object]
"""One row, by column name; a column that is not there has no value."""

TEXT, WHOLE, REAL, YES_NO, MOMENT, BYTES = Scalar

COMMON = (
    Column("event_id", TEXT, "Of the event, a UUID: a table has it once.", required=True),
    Column("organization", TEXT, "Whose learner it was.", required=True),
    Column("time", MOMENT, "When it happened, by the clock of whoever saw it.", required=True),
    Column("learner", TEXT, "A pseudonym, 32 hexadecimal digits; the same for one learner in every table."),
    Column("course", TEXT, "Its id; none outside any course."),
    Column("sent_at", MOMENT, "When the log was given it.", required=True),
)

ATTEMPTS = LakeTable(
    "attempts",
    "user.attempts",
    (
        *COMMON,
        Column("item", TEXT, required=True),
        Column("item_revision", WHOLE, "None if it was not told."),
        Column("skills", ListOf(TEXT), required=True),
        Column("correct", YES_NO, "Whether the answer was fully right.", required=True),
        Column("score", REAL, "Share of the full score, in [0, 1].", required=True),
        Column("response_seconds", REAL, "None if it was not told."),
        Column("hints_revealed", WHOLE, required=True),
        Column("decision", TEXT, "The decision that led to it; none if none did."),
        Column("test_session", TEXT, "The test it was answered in; none outside tests."),
        Column("client_sequence", WHOLE, "Orders events of one client with the same time.", required=True),
    ),
)
SESSIONS = LakeTable(
    "sessions",
    "user.sessions",
    (
        *COMMON,
        Column("session", TEXT, required=True),
        Column("phase", TEXT, "started or ended.", required=True),
        Column("client_sequence", WHOLE, required=True),
    ),
)
LEARNING_EVENTS = LakeTable(
    "learning_events",
    "learning.events",
    (
        *COMMON,
        Column("kind", TEXT, "page_view, media or hint.", required=True),
        Column("page", TEXT, "Of a page view: without its query, which may hold personal data."),
        Column("media", TEXT, "Of media: without its query."),
        Column("action", TEXT, "Of media: played, paused, sought or ended."),
        Column("position_seconds", REAL, "Of media: where in it."),
        Column("duration_seconds", REAL, "Of a page view: how long it was in view."),
        Column("item", TEXT, "Of a hint."),
        Column("hint_number", WHOLE, "Of a hint, from 1."),
        Column("client_sequence", WHOLE, required=True),
    ),
)
DECISIONS = LakeTable(
    "decisions",
    "scheduler.decisions",
    (
        *COMMON,
        Column("decision", TEXT, required=True),
        Column("publication", WHOLE, required=True),
        Column("policy_version", TEXT, required=True),
        Column("model_version", TEXT, required=True),
        Column("engine_version", TEXT),
        Column("mode", TEXT, "What was asked for, such as practice.", required=True),
        Column("arm", TEXT, "The strategy that was drawn."),
        Column("arms", ListOf(Record((Column("arm", TEXT), Column("probability", REAL))))),
        Column("context", ListOf(REAL), "What a bandit knew of the moment."),
        Column("learner_sequence", WHOLE, "How many attempts of the learner it knew of.", required=True),
        Column("size", WHOLE, "How many items were asked for.", required=True),
        Column(
            "choices",
            ListOf(
                Record(
                    (
                        Column("item", TEXT),
                        Column("revision", WHOLE),
                        Column("propensity", REAL, "Probability that the policy showed it at this place."),
                        Column("arm_propensity", REAL, "The same of the drawn strategy alone."),
                        Column("predicted_correct", REAL),
                        Column("reason", TEXT, "The term that set it most apart from the candidates beside it."),
                        Column("relaxed", TEXT, "The constraint that gave way for it."),
                    )
                )
            ),
            "The items shown, in order.",
        ),
        Column(
            "candidates",
            ListOf(
                Record(
                    (
                        Column("item", TEXT),
                        Column("score", REAL),
                        Column("propensity", REAL, "Probability that the policy puts it first."),
                        Column("predicted_correct", REAL),
                    )
                )
            ),
            "The scored candidates, best first.",
        ),
        Column("fallbacks", ListOf(TEXT), "Inputs that were missing, and what stood in for them."),
        Column("empty_reason", TEXT, "Why nothing was chosen."),
        Column("difficulty_epoch", WHOLE),
        Column("shadow_of", TEXT, "The decision that was served instead."),
        Column(
            "record", BYTES, "The whole record in protobuf (paideia.scheduler.v1.Decision), with the pseudonym as its learner."
        ),
    ),
)
_SKILL = Record(
    (
        Column("skill", TEXT),
        Column("mean", REAL, "P(mastered)."),
        Column("lower", REAL, "Lower end of the 90 % interval."),
        Column("upper", REAL),
        Column("attempt_count", WHOLE),
    )
)
PROGRESS = LakeTable(
    "progress",
    "progress.updates",
    (
        *COMMON,
        Column("sequence", WHOLE, "Counts the learner's attempts from 1.", required=True),
        Column("attempt", TEXT, "The event id of the attempt.", required=True),
        Column("item", TEXT, required=True),
        Column("score", REAL, required=True),
        Column("correct", YES_NO, required=True),
        Column("predicted_correct", REAL, "P(correct) before the answer was seen.", required=True),
        Column("skills", ListOf(_SKILL), "Every skill of the item after the attempt; of a repair all the learner's."),
        Column("ability", REAL, "In the course, logits.", required=True),
        Column("ability_standard_error", REAL, "Logits.", required=True),
        Column("item_difficulty", REAL, "After the attempt, logits.", required=True),
        Column("response_seconds", REAL),
        Column("decision", TEXT),
        Column("revision", WHOLE, "0 when an attempt was counted; else the number of the repair.", required=True),
    ),
)
QUARANTINE = LakeTable(
    "quarantine",
    "",
    (
        Column("event_id", TEXT, "A digest of the message: the same message lies here once.", required=True),
        Column("organization", TEXT, "Empty if the message does not say.", required=True),
        Column("time", MOMENT, "When the log was given it.", required=True),
        Column("topic", TEXT, required=True),
        Column("log_partition", WHOLE, required=True),
        Column(
            "log_offset",
            WHOLE,
            "Where the log has it, while it has it: its content may be personal and is not copied.",
            required=True,
        ),
        Column("ce_id", TEXT),
        Column("type", TEXT, "What it says it is."),
        Column("reason", TEXT, "Why no table could take it.", required=True),
        Column("bytes", WHOLE, "How long it is.", required=True),
    ),
)

TABLES = (ATTEMPTS, SESSIONS, LEARNING_EVENTS, DECISIONS, PROGRESS)
"""The tables that have a topic."""

ALL_TABLES = (*TABLES, QUARANTINE)

Offsets = Mapping[int, int]
"""By partition of the topic: the first offset that the table does not have."""


class LakeConflict(Conflict):
    """Another writer has added to the table from the same topic: begin again where the table ends now. Nothing was written."""

    reason = "LAKE_CONFLICT"


class TableStore(Protocol):
    """One table of the lake. Raises Unavailable when the catalog or the object store is away."""

    async def offsets(self) -> Offsets:
        """Returns how far the table has come: what its newest snapshot says, which is true whatever happened since."""

    async def append(self, rows: Sequence[Row], offsets: Offsets, start: Offsets | None = None) -> int:
        """Adds the rows whose event the table does not have yet, together with the offsets after them; returns how many it added.

        All or nothing. With `start`, raises LakeConflict unless the table is where the rows begin.
        """


class Pseudonyms(Protocol):
    """What stands for learners in the lake: meaningless without a secret of each learner's own, which can be forgotten."""

    async def of(self, organization: str, learners: Sequence[str]) -> Mapping[str, str]:
        """Returns the pseudonym of each learner but those who were erased; makes those that are missing. Raises Unavailable."""

    async def forget(self, organization: str, learner: str) -> bool:
        """Drops the learner's secret: rows in the lake belong to nobody then, and can be linked to nobody. False if there was none."""
