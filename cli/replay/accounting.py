"""Reads back what the platform counted and holds it against what was sent."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cli.api import Api, Json, Refused
from cli.replay.response_log import ResponseLog
from cli.replay.statistics import prediction_quality

_STALLED_SECONDS = 90.0
# A moment before all answers: masteries as the last answer left them, however long ago the log was recorded.
_AS_ANSWERED = "2000-01-01T00:00:00Z"
_LAST_LEARNERS = 50


@dataclass(slots=True)
class Account:
    """What the platform says it counted. `attempts` are by id; `times_counted` tells how often each id stands in the list."""

    attempts: dict[str, Json] = field(default_factory=dict)
    times_counted: Counter[str] = field(default_factory=Counter)
    mastery: list[Json] = field(default_factory=list)


async def account_for(api: Api, log: ResponseLog, course: str, acknowledged: set[str]) -> tuple[Account, float]:
    """Waits until every acknowledged answer is counted, or none is any more for a minute and a half.

    Returns what was counted, and the time (of time.perf_counter) at which the last answer was seen to be.
    """
    order = [(learner, each.id) for learner, answers in log.answers.items() for each in answers if each.id in acknowledged]
    caught_up = time.perf_counter()
    account = Account()
    missing = order
    while missing:
        # The last answers of the learners sent last are on every partition of the log; the list then tells of all.
        last_of = dict(missing)
        waited = [await _counted_in_time(api, learner, last_of[learner]) for learner in list(last_of)[-_LAST_LEARNERS:]]
        if any(waited):
            caught_up = time.perf_counter()
        account = await read_account(api, course)
        before, missing = len(missing), [each for each in order if each[1] not in account.attempts]
        if len(missing) == before:
            break
    return account, caught_up


async def _counted_in_time(api: Api, learner: str, attempt: str) -> bool:
    give_up = time.perf_counter() + _STALLED_SECONDS
    while time.perf_counter() < give_up:
        try:
            await api.get(f"/v1/learners/{learner}/attempts/{attempt}")
        except Refused as refusal:
            if refusal.status != 404:
                raise
            await asyncio.sleep(0.05)
        else:
            return True
    return False


async def read_account(api: Api, course: str) -> Account:
    """Reads every attempt counted in the course and every learner's mastery of its skills."""
    account = Account()
    async for attempt in _pages(api, "/v1/learners/-/attempts", "attempts", course):
        identity = attempt["name"].rpartition("/")[2]
        account.attempts[identity] = attempt
        account.times_counted[identity] += 1
    async for mastery in _pages(api, "/v1/skillMasteries", "masteries", course, asOf=_AS_ANSWERED):
        account.mastery.append(mastery)
    return account


async def _pages(api: Api, path: str, collection: str, course: str, **params: str) -> Any:
    token = ""
    while True:
        page = await api.get(path, course=f"courses/{course}", pageSize=1000, pageToken=token, **params)
        for element in page.get(collection, []):
            yield element
        token = page.get("nextPageToken", "")
        if not token:
            return


async def counted_twice(api: Api, account: Account) -> int:
    """Returns how often an answer was counted more than once: in the list of attempts, or only in somebody's mastery."""
    listed = sum(times - 1 for times in account.times_counted.values())
    of_learner: dict[str, Counter[str]] = defaultdict(Counter)
    for attempt in account.attempts.values():
        of_learner[attempt["name"].split("/")[1]].update(attempt["skills"])
    everywhere: dict[str, Counter[str]] = {}
    in_mastery = 0
    for mastery in account.mastery:
        _, learner, _, skill = mastery["name"].split("/")
        count = int(mastery.get("attemptCount", 0))
        if count > of_learner[learner][f"skills/{skill}"]:
            # Attempts made in other courses move the same skill.
            if learner not in everywhere:
                everywhere[learner] = await _attempts_of(api, learner)
            in_mastery += max(0, count - everywhere[learner][f"skills/{skill}"])
    return listed + in_mastery


async def _attempts_of(api: Api, learner: str) -> Counter[str]:
    counter: Counter[str] = Counter()
    token = ""
    while True:
        page = await api.get(f"/v1/learners/{learner}/attempts", pageSize=1000, pageToken=token)
        for attempt in page.get("attempts", []):
            counter.update(attempt["skills"])
        token = page.get("nextPageToken", "")
        if not token:
            return counter


Pairs = list[tuple[float, bool]]
"""Predictions made before answers, with whether the answer was right."""


def predictions(log: ResponseLog, account: Account) -> dict[str, Pairs]:
    """Returns the predictions stored before each answer: of all learners, and of the second half in file order."""
    learners = list(log.answers)
    return {"all": _pairs(log, account, learners), "second_half": _pairs(log, account, learners[len(learners) // 2 :])}


def prediction_report(log: ResponseLog, account: Account) -> Json:
    """Returns how good the predictions were, for all learners and for the second half."""
    return {
        name: prediction_quality([p for p, _ in pairs], [y for _, y in pairs]).as_json()
        for name, pairs in predictions(log, account).items()
    }


def _pairs(log: ResponseLog, account: Account, learners: Iterable[str]) -> Pairs:
    return [
        (float(account.attempts[each.id]["predictedCorrect"]), each.correct)
        for learner in learners
        for each in log.answers[learner]
        if each.id in account.attempts
    ]


def skill_report(log: ResponseLog, account: Account) -> list[Json]:
    """Returns a row a skill: how many learners and attempts, and the mean over learners of mastery and of its 90 % interval's ends."""
    rows: dict[str, list[Json]] = defaultdict(list)
    for mastery in account.mastery:
        _, learner, _, skill = mastery["name"].split("/")
        if learner in log.answers:
            rows[skill].append(mastery)
    return [
        {
            "skill": log.titles.get(skill, skill),
            "learners": len(rows[skill]),
            "attempts": sum(int(each.get("attemptCount", 0)) for each in rows[skill]),
            **{
                end: round(sum(each.get(end, 0.0) for each in rows[skill]) / len(rows[skill]), 4)
                for end in ("mean", "lower", "upper")
            },
        }
        for skill in log.skills
        if rows[skill]
    ]
