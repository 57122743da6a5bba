"""Why an item was chosen, in one sentence for the learner: no numbers of the model, no blame."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.scheduler.model import Mode, ReasonKind


@dataclass(frozen=True, slots=True)
class ChosenView:
    """What a sentence may speak of: the item's weakest skill and when the learner last answered the item."""

    title: str
    mean: float
    practised: bool
    last_answered_at: datetime | None
    last_passed: bool


def reason(kind: ReasonKind, view: ChosenView, now: datetime, mode: Mode = Mode.PRACTICE) -> str:
    if mode is Mode.EXAM:  # nothing that would tell how well the learner stands
        return f"This is your exam's next question on {view.title}."
    if kind is ReasonKind.REVIEW:
        if not view.last_passed:
            return f"You did not quite get this one last time; another try will help with {view.title}."
        return f"You answered this {ago(view.last_answered_at, now)}; a short review now keeps {view.title} fresh."
    if kind is ReasonKind.GROWTH:
        if not view.practised:
            return f"{view.title} is new for you, and you are ready to begin it."
        if view.mean >= 0.7:
            return f"You are close to mastering {view.title}; this takes you further."
        return f"You are working on {view.title}; practice counts most right now."
    if kind is ReasonKind.CHALLENGE:
        return f"This should be neither too easy nor too hard for you in {view.title}."
    if kind is ReasonKind.INFORMATION:
        return f"Your answer will tell most about where you stand in {view.title}."
    if kind is ReasonKind.GOAL:
        return f"{view.title} is on the way to your goal, and there is time to get there."
    if view.last_answered_at is None:
        return f"You have not seen this one yet; it gives {view.title} some variety."
    return f"You have not seen this one for a while; it gives {view.title} some variety."


def until(moment: datetime, now: datetime) -> str:
    """Says how far off something is: "in 3 days"."""
    ahead = max(moment - now, timedelta(0))
    if ahead < timedelta(hours=1):
        return "within an hour"
    if ahead < timedelta(days=1):
        return "within a day"
    return "tomorrow" if ahead.days == 1 else f"in {ahead.days} days"


def ago(moment: datetime | None, now: datetime) -> str:
    """Says how long ago something was: "3 days ago"."""
    if moment is None:
        return "before"
    elapsed = max(now - moment, timedelta(0))
    if elapsed < timedelta(hours=1):
        return "a short while ago"
    if elapsed < timedelta(days=1):
        return "earlier today" if elapsed < timedelta(hours=12) else "yesterday"
    days = elapsed.days
    return "yesterday" if days == 1 else f"{days} days ago"
