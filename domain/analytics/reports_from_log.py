"""Every report straight from the facts, all at once: what the numbers mean, and what a store's numbers are held against."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from math import sqrt
from statistics import median
from typing import TypeVar

from domain.analytics.model import MASTERED, Attempted, Facts, MasteryTold, ReportKind, ReportQuery
from domain.analytics.reports import (
    Cell,
    Choice,
    CohortWeek,
    Day,
    Item,
    Learner,
    PolicyArm,
    Row,
    Summary,
    Week,
    key_of,
    monday_of,
)
from domain.analytics.rollups import Activity, FirstAnswer, Session, by_session, micros_of

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
_SECOND, _MINUTE = 1e6, timedelta(minutes=1)


class Log:
    """Facts of one organization, each once: of what the log has twice, the first counts."""

    def __init__(self, facts: Facts) -> None:
        self.attempts = list({each.id: each for each in reversed(facts.attempts)}.values())
        self.sessions = by_session(facts.sessions)
        self.decisions = list({each.id: each for each in reversed(facts.decisions)}.values())
        self.masteries = facts.masteries

    def report(self, query: ReportQuery) -> list[Row]:
        """All rows, sorted by their key."""
        return sorted(_REPORTS[query.kind](self, query), key=key_of)

    def attempts_of(self, query: ReportQuery) -> list[Attempted]:
        return [each for each in self.attempts if _asked(query, each.course, each.learner, each.day)]

    def sessions_of(self, query: ReportQuery) -> list[tuple[str, Session]]:
        """Those that began in the range, with their learners."""
        return [
            (learner, each)
            for (learner, _), each in self.sessions.items()
            if each.day is not None and _asked(query, each.course, learner, each.day)
        ]

    def mastery(self, learner: str, skill: str, last_day: date) -> MasteryTold | None:
        """The last word up to the day."""
        told = [each for each in self.masteries if (each.learner, each.skill) == (learner, skill) and each.day <= last_day]
        return max(told, key=lambda each: (each.sequence, each.revision), default=None)


def _asked(query: ReportQuery, course: str, learner: str, day: date) -> bool:
    return (
        course == query.course and query.first_day <= day <= query.last_day and (not query.learners or learner in query.learners)
    )


def _summary(log: Log, query: ReportQuery) -> Iterator[Row]:
    attempts, sessions = log.attempts_of(query), log.sessions_of(query)
    did = _activity(attempts)
    days = sorted(each.day for each in attempts)
    yield Summary(
        len({each.learner for each in attempts}),
        did.attempts,
        did.correct,
        share(did.correct, did.attempts),
        _mean_seconds(did),
        did.hints,
        len(sessions),
        sum(each.length is not None for _, each in sessions),
        days[0] if days else None,
        days[-1] if days else None,
    )


def _days(log: Log, query: ReportQuery) -> Iterator[Row]:
    for day, attempts in _grouped(log.attempts_of(query), lambda each: each.day):
        did = _activity(attempts)
        learners = {each.learner for each in attempts}
        yield Day(day, len(learners), did.attempts, did.correct, share(did.correct, did.attempts), _mean_seconds(did), did.hints)


def _learners(log: Log, query: ReportQuery) -> Iterator[Row]:
    sessions = log.sessions_of(query)
    for learner, attempts in _grouped(log.attempts_of(query), lambda each: each.learner):
        did = _activity(attempts)
        days = sorted({each.day for each in attempts})
        skills = {skill for each in attempts for skill in each.skills}
        known = [log.mastery(learner, skill, query.last_day) for skill in skills]
        yield Learner(
            learner,
            did.attempts,
            did.correct,
            share(did.correct, did.attempts),
            len(days),
            did.micros / _SECOND,
            sum(owner == learner for owner, _ in sessions),
            len(skills),
            sum(each is not None and each.mean >= MASTERED for each in known),
            days[0],
            days[-1],
        )


def _heat_map(log: Log, query: ReportQuery) -> Iterator[Row]:
    pairs = [((each.learner, skill), each) for each in log.attempts_of(query) for skill in set(each.skills)]
    for (learner, skill), found in _grouped(pairs, lambda pair: pair[0]):
        did = _activity(attempt for _, attempt in found)
        told = log.mastery(learner, skill, query.last_day)
        interval = (told.mean, told.lower, told.upper) if told else (None, None, None)
        yield Cell(learner, skill, did.attempts, did.correct, share(did.correct, did.attempts), *interval)


def _firsts(log: Log, query: ReportQuery) -> dict[tuple[str, str], FirstAnswer]:
    """The first answer in the range, by item and learner."""
    firsts: dict[tuple[str, str], FirstAnswer] = {}
    for each in log.attempts_of(query):
        if (known := firsts.get((each.item, each.learner))) is None:
            firsts[each.item, each.learner] = FirstAnswer(each)
        else:
            known.add(each)
    return firsts


def _rests(firsts: Mapping[tuple[str, str], FirstAnswer]) -> Callable[[Attempted], float | None]:
    """For a first answer: the share of right ones among its learner's other first answers."""
    totals: defaultdict[str, Activity] = defaultdict(Activity)
    for each in firsts.values():
        totals[each.first.learner].add(each.first)

    def rest(first: Attempted) -> float | None:
        total = totals[first.learner]
        return share(total.correct - first.correct, total.attempts - 1)

    return rest


def _items(log: Log, query: ReportQuery) -> Iterator[Row]:
    firsts = _firsts(log, query)
    rest = _rests(firsts)
    for item, group in _grouped(firsts.values(), lambda each: each.first.item):
        if query.items and item not in query.items:
            continue
        answers = [each.first for each in group]
        correct = sum(each.correct for each in answers)
        pairs = [(float(each.correct), other) for each in answers if (other := rest(each)) is not None]
        micros = [each for each in map(micros_of, answers) if each is not None]
        yield Item(
            item,
            len(answers),
            correct,
            correct / len(answers),
            correlation(pairs),
            median(micros) / _SECOND if micros else None,
            sum(each.attempts for each in group),
        )


def _choices(log: Log, query: ReportQuery) -> Iterator[Row]:
    firsts = _firsts(log, query)
    rest = _rests(firsts)
    asked = (each.first for each in firsts.values() if not query.items or each.first.item in query.items)
    telling = [each for each in asked if each.choices]
    for item, answers in _grouped(telling, lambda each: each.item):
        for choice in {choice for each in answers for choice in each.choices}:
            picked = [each for each in answers if choice in each.choices]
            others = [other for each in picked if (other := rest(each)) is not None]
            yield Choice(item, choice, len(picked), len(picked) / len(answers), sum(others) / len(others) if others else None)


def _engagement(log: Log, query: ReportQuery) -> Iterator[Row]:
    attempts: defaultdict[date, list[Attempted]] = defaultdict(list)
    for attempt in log.attempts_of(query):
        attempts[monday_of(attempt.day)].append(attempt)
    sessions: defaultdict[date, list[Session]] = defaultdict(list)
    for _, session in log.sessions_of(query):
        if session.day is not None:
            sessions[monday_of(session.day)].append(session)
    for week in attempts.keys() | sessions.keys():
        answered, begun = attempts[week], sessions[week]
        learners = len({each.learner for each in answered})
        lengths = [each.length for each in begun if each.length is not None]
        yield Week(
            week,
            learners,
            len(answered),
            share(len(answered), learners),
            share(len({(each.learner, each.day) for each in answered}), learners),
            len(begun),
            len(lengths),
            share(len(lengths), len(begun)),
            median(length / _MINUTE for length in lengths) if lengths else None,
        )


def _retention(log: Log, query: ReportQuery) -> Iterator[Row]:
    days: defaultdict[str, set[date]] = defaultdict(set)
    for each in log.attempts_of(ReportQuery(query.kind, query.course, learners=query.learners)):
        days[each.learner].add(each.day)
    cohorts: defaultdict[date, int] = defaultdict(int)
    active: defaultdict[tuple[date, int], int] = defaultdict(int)
    for its in days.values():
        if query.first_day <= min(its) <= query.last_day:
            cohort = monday_of(min(its))
            cohorts[cohort] += 1
            for week in {monday_of(day) for day in its}:
                active[cohort, (week - cohort).days // 7] += 1
    for (cohort, later), count in active.items():
        yield CohortWeek(cohort, later, cohorts[cohort], count, count / cohorts[cohort])


def _decisions(log: Log, query: ReportQuery) -> Iterator[Row]:
    answers: dict[tuple[str, str, str], FirstAnswer] = {}
    for attempt in log.attempts:
        if attempt.decision:
            if (known := answers.get((attempt.decision, attempt.learner, attempt.item))) is None:
                answers[attempt.decision, attempt.learner, attempt.item] = FirstAnswer(attempt)
            else:
                known.add(attempt)
    asked = [each for each in log.decisions if _asked(query, each.course, each.learner, each.day)]
    for key, made in _grouped(asked, lambda each: (each.policy_version, each.arm, each.mode, each.shadow)):
        outcomes = [
            (answer.first.correct, shown.predicted)
            for each in made
            for shown in each.shown
            if (answer := answers.get((each.id, each.learner, shown.item))) is not None
        ]
        correct = sum(right for right, _ in outcomes)
        predicted = [each for _, each in outcomes if each is not None]
        yield PolicyArm(
            *key,
            len(made),
            len({each.learner for each in made}),
            sum(len(each.shown) for each in made),
            sum(not each.shown for each in made),
            sum(each.fell_back for each in made),
            len(outcomes),
            correct,
            share(correct, len(outcomes)),
            sum(predicted) / len(predicted) if predicted else None,
        )


_REPORTS: Mapping[ReportKind, Callable[[Log, ReportQuery], Iterator[Row]]] = {
    ReportKind.SUMMARY: _summary,
    ReportKind.DAYS: _days,
    ReportKind.LEARNERS: _learners,
    ReportKind.HEAT_MAP: _heat_map,
    ReportKind.ITEMS: _items,
    ReportKind.CHOICES: _choices,
    ReportKind.ENGAGEMENT: _engagement,
    ReportKind.RETENTION: _retention,
    ReportKind.DECISIONS: _decisions,
}


def _grouped(values: Iterable[T], by: Callable[[T], K]) -> list[tuple[K, list[T]]]:
    groups: dict[K, list[T]] = {}
    for each in values:
        groups.setdefault(by(each), []).append(each)
    return list(groups.items())


def _activity(attempts: Iterable[Attempted]) -> Activity:
    did = Activity()
    for each in attempts:
        did.add(each)
    return did


def _mean_seconds(did: Activity) -> float | None:
    return did.micros / did.timed / _SECOND if did.timed else None


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Pearson's; of a right-or-wrong with a number it is the point-biserial correlation. None if either does not vary."""
    if len({x for x, _ in pairs}) < 2 or len({y for _, y in pairs}) < 2:
        return None
    mean_x = sum(x for x, _ in pairs) / len(pairs)
    mean_y = sum(y for _, y in pairs) / len(pairs)
    across = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    spread = sqrt(sum((x - mean_x) ** 2 for x, _ in pairs)) * sqrt(sum((y - mean_y) ** 2 for _, y in pairs))
    return across / spread if spread else None
