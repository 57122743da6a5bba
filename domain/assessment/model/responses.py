"""What a learner submits, what is kept of it, and the hints that came before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.assessment.model.answers import Answer
from domain.assessment.model.grading import Grade
from domain.assessment.model.items import Body, Item
from domain.shared.errors import FieldViolation, InvalidInput, NotAllowedNow, NotFound, RequestIdReused
from domain.shared.ids import canonical_uuid

# Older than any answer that anybody may still submit; progress counts none from before.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(minutes=5)
LONGEST_RESPONSE_TIME = timedelta(hours=24)


class CourseNotPublished(NotFound):
    reason = "COURSE_NOT_PUBLISHED"


class ItemNotPublished(NotFound):
    reason = "ITEM_NOT_PUBLISHED"


class ResponseNotFound(NotFound):
    reason = "RESPONSE_NOT_FOUND"


class NoHintLeft(NotAllowedNow):
    reason = "NO_HINT_LEFT"


@dataclass(frozen=True, slots=True)
class Submission:
    """An answer on its way in. `id` is the request id; `answered_at` is None when the learner answers now."""

    id: str
    learner: str
    course: str
    item: str
    answer: Answer | None
    decision: str = ""
    response_time: timedelta | None = None
    answered_at: datetime | None = None
    test_session: str = ""

    def check_times(self, now: datetime) -> None:
        """Raises InvalidInput if the learner cannot have answered then, or taken so long."""
        faults = []
        if self.answered_at is not None and not EARLIEST <= self.answered_at <= now + FURTHEST_AHEAD:
            faults.append(FieldViolation("answer_time", "must be after 1999 and at most 5 minutes ahead of now"))
        if self.response_time is not None and not timedelta(0) <= self.response_time <= LONGEST_RESPONSE_TIME:
            faults.append(FieldViolation("response_time", "must be between 0 and 24 hours"))
        if faults:
            raise InvalidInput(faults)


@dataclass(frozen=True, slots=True)
class Response:
    """A graded answer, kept for ever. `received_at` equals `answered_at` when the submission told no time. `test_session` is the id of
    the test it was given in, if any; while it is `sealed`, its learner must not see it."""

    id: str
    learner: str
    course: str
    item: str
    item_revision: int
    answer: Answer
    score: float
    correct: bool
    feedback: tuple[str, ...]
    explanation: str
    hints_revealed: int
    decision: str
    response_time: timedelta | None
    answered_at: datetime
    received_at: datetime
    test_session: str = ""
    sealed: bool = False

    @classmethod
    def to(cls, submission: Submission, answer: Answer, item: Item, grade: Grade, now: datetime) -> "Response":
        """The response that a grade makes of a submission; how many hints were revealed is known only when it is kept."""
        return cls(
            id=submission.id,
            learner=submission.learner,
            course=submission.course,
            item=submission.item,
            item_revision=item.revision,
            answer=answer,
            score=float(grade.score),
            correct=grade.correct,
            feedback=grade.feedback,
            explanation=item.key.explanation,
            hints_revealed=0,
            decision=submission.decision,
            response_time=submission.response_time,
            answered_at=submission.answered_at or now,
            received_at=now,
            test_session=submission.test_session,
            sealed=bool(submission.test_session),
        )

    @property
    def place(self) -> "Place":
        """Where the response stands among its learner's, which are listed by falling place."""
        return self.answered_at, self.id

    def repeated_by(self, submission: Submission) -> "Response":
        """Returns this response to a repeat of its submission, or raises RequestIdReused if the submission is another one."""
        told = None if self.answered_at == self.received_at else self.answered_at
        mine = (self.learner, self.course, self.item, self.answer, self.decision, self.response_time, told, self.test_session)
        theirs = (
            submission.learner,
            submission.course,
            submission.item,
            submission.answer,
            submission.decision,
            submission.response_time,
            submission.answered_at,
            submission.test_session,
        )
        if mine != theirs:
            raise RequestIdReused(f"request_id {self.id} was used for another response")
        return self


Place = tuple[datetime, str]


def cursor_at(place: Place) -> tuple[str, ...]:
    """The cursor of the page after this place."""
    return place[0].isoformat(), place[1]


def place_at(cursor: tuple[str, ...]) -> Place:
    """The place that a cursor stands for, or InvalidInput if no page returned it."""
    try:
        time, response_id = cursor
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is None:
            raise ValueError
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged") from None
    return moment, canonical_uuid(response_id, "page_token")


@dataclass(frozen=True, slots=True)
class RevealedHint:
    """One hint as it was revealed; `number` counts from 1."""

    request_id: str
    learner: str
    course: str
    item: str
    number: int
    text: str
    remaining: int

    @classmethod
    def next(cls, request_id: str, learner: str, course: str, item: Item, revealed: Sequence["RevealedHint"]) -> "RevealedHint":
        """The hint after those revealed, or NoHintLeft."""
        number, hints = len(revealed) + 1, item.key.hints
        if number > len(hints):
            raise NoHintLeft(f"item {item.id} has {len(hints)} hints, and all were revealed")
        return cls(request_id, learner, course, item.id, number, hints[number - 1], len(hints) - number)

    def repeated_by(self, learner: str, course: str, item: str) -> "RevealedHint":
        """Returns this hint to a repeat of its request, or raises RequestIdReused if the request is another one."""
        if (self.learner, self.course, self.item) != (learner, course, item):
            raise RequestIdReused(f"request_id {self.request_id} was used for another hint")
        return self


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as one learner sees it, without its key."""

    learner: str
    course: str
    item: str
    revision: int
    body: Body
    hint_count: int
    revealed_hints: tuple[str, ...]
