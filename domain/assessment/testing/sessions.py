"""One taking of a test: what was served, what was answered, and how it ended."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.assessment.model.responses import Response
from domain.assessment.testing.blueprints import Blueprint
from domain.shared.errors import NotAllowedNow, NotFound


class SessionNotFound(NotFound):
    reason = "TEST_SESSION_NOT_FOUND"


class SessionEnded(NotAllowedNow):
    reason = "TEST_SESSION_ENDED"


class NotTheCurrentItem(NotAllowedNow):
    reason = "NOT_THE_CURRENT_ITEM"


class SessionUnderWay(NotAllowedNow):
    reason = "TEST_SESSION_UNDER_WAY"


class NoRetakeLeft(NotAllowedNow):
    reason = "NO_RETAKE_LEFT"


class RetakeTooEarly(NotAllowedNow):
    reason = "RETAKE_TOO_EARLY"


class State(StrEnum):
    """Under way, or how the session ended: measured well enough, as long as it may be, by the time limit, early by request."""

    OPEN = "OPEN"
    PRECISE = "PRECISE"
    COMPLETE = "COMPLETE"
    OUT_OF_TIME = "OUT_OF_TIME"
    FINISHED = "FINISHED"


@dataclass(frozen=True, slots=True)
class Score:
    """An ability in logits: mean and standard deviation of its posterior."""

    mean: float
    error: float


@dataclass(frozen=True, slots=True)
class Selection:
    """Why an item was served: what was known of the ability before (None without a bank), the ability it was chosen for, its Fisher
    information there, and the exact probability of this choice given all before it. `area` is a bare skill id, or empty."""

    ability: Score | None
    aim: float
    information: float
    propensity: float
    area: str


@dataclass(frozen=True, slots=True)
class Step:
    """One item. `response` is empty and `answered_at` None while it is not answered."""

    item: str
    revision: int
    served_at: datetime
    selection: Selection
    response: str = ""
    correct: bool = False
    score: float = 0.0
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AreaResult:
    """`ability` is what this area's answers alone tell; None without a bank."""

    skill: str
    correct_count: int
    answered_count: int
    ability: Score | None


@dataclass(frozen=True, slots=True)
class Result:
    """`ability` is None without a bank, `percentile` (0 to 100) without a norm."""

    ability: Score | None
    percentile: float | None
    correct_count: int
    answered_count: int
    areas: tuple[AreaResult, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """Ids are bare. Of the steps, only the last one can be unanswered, and only while the session is open. `result` is kept when it ends."""

    id: str
    learner: str
    blueprint: str
    title: str
    min_length: int
    max_length: int
    started_at: datetime
    deadline: datetime | None
    state: State = State.OPEN
    ended_at: datetime | None = None
    answered_count: int = 0
    steps: tuple[Step, ...] = ()
    result: Result | None = None

    @classmethod
    def of(cls, session_id: str, learner: str, blueprint: Blueprint, now: datetime) -> "Session":
        """A session in which nothing has been served yet."""
        return cls(
            id=session_id,
            learner=learner,
            blueprint=blueprint.id,
            title=blueprint.title,
            min_length=blueprint.form.min_length,
            max_length=blueprint.form.max_length,
            started_at=now,
            deadline=now + blueprint.time_limit if blueprint.time_limit else None,
        )

    @property
    def open(self) -> bool:
        return self.state is State.OPEN

    @property
    def answered(self) -> tuple[Step, ...]:
        return self.steps[: self.answered_count]

    @property
    def current(self) -> Step | None:
        """The item to answer; None when the session has ended."""
        return self.steps[-1] if self.open else None

    def late(self, now: datetime) -> bool:
        """Whether its time is over and it does not know yet."""
        return self.open and self.deadline is not None and now >= self.deadline

    def serving(self, step: Step) -> "Session":
        return replace(self, steps=(*self.steps, step))

    def to_answer(self, item: str) -> Step:
        """Returns the current step if it is this item's. Raises SessionEnded or NotTheCurrentItem."""
        if self.current is None:
            raise SessionEnded(f"test session {self.id} has ended: {self.state}")
        if self.current.item != item:
            raise NotTheCurrentItem(f"the current item of test session {self.id} is items/{self.current.item}, not items/{item}")
        return self.current

    def with_answer(self, response: Response) -> "Session":
        """The session with its current item answered, before anything else is served."""
        step = replace(
            self.to_answer(response.item),
            response=response.id,
            correct=response.correct,
            score=response.score,
            answered_at=response.answered_at,
        )
        return replace(self, steps=(*self.steps[:-1], step), answered_count=len(self.steps))

    def ended(self, state: State, now: datetime, result: Result) -> "Session":
        return replace(self, state=state, ended_at=now, result=result)


@dataclass(frozen=True, slots=True)
class Taking:
    """What the retake policy asks of an earlier session."""

    session: str
    state: State
    ended_at: datetime | None
    deadline: datetime | None


def check_retake(blueprint: Blueprint, takings: tuple[Taking, ...], now: datetime) -> None:
    """Raises SessionUnderWay, NoRetakeLeft or RetakeTooEarly if the learner, who took the test before, may not start it now."""
    for each in takings:
        if each.state is State.OPEN and (each.deadline is None or now < each.deadline):
            raise SessionUnderWay(f"test session {each.session} of {blueprint.id} is under way: answer its items, or finish it")
    most = blueprint.retakes.max_sessions
    if most and len(takings) >= most:
        raise NoRetakeLeft(f"test {blueprint.id} may be taken {most} times by a learner")
    ends = [end for each in takings if (end := each.ended_at or each.deadline)]
    if ends and now < max(ends) + blueprint.retakes.wait:
        raise RetakeTooEarly(
            f"test {blueprint.id} may be taken again from {max(ends) + blueprint.retakes.wait:%Y-%m-%d %H:%M} UTC"
        )
