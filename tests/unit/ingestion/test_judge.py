from collections.abc import Callable
from datetime import datetime, timedelta
from math import nan
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from paideia.ingestion.v1.events_pb2 import LearningEvent

from domain.ingestion.clock import LEEWAY
from domain.ingestion.model import judge
from tests.ingesting import batch, by_rules

NOW = datetime.fromisoformat("2026-09-01T08:00:00+00:00")

Attempt = Callable[..., LearningEvent]


def good(number: int) -> LearningEvent:
    event = LearningEvent(id=str(UUID(int=number + 1, version=4)), learner=f"learners/l{number % 3}")
    event.occur_time.FromDatetime(NOW)
    event.attempt.item = "items/half"
    event.attempt.skills.append("skills/halves")
    return event


def spoilt(number: int, how: int) -> LearningEvent:
    event = good(number)
    spoil: list[Callable[[], object]] = [
        lambda: setattr(event, "id", "no"),
        lambda: event.ClearField("occur_time"),
        lambda: event.ClearField("attempt"),
        lambda: setattr(event.attempt, "score", nan),
        lambda: event.attempt.skills.append("x" * 10_000),
        lambda: event.occur_time.FromDatetime(NOW + LEEWAY + timedelta(seconds=1)),
        lambda: event.attempt.response_time.FromSeconds(-1),
    ]
    spoil[how % len(spoil)]()
    return event


@given(st.lists(st.one_of(st.none(), st.integers(0, 6)), min_size=1, max_size=60))
def test_a_bad_event_never_costs_its_neighbours_anything(plan: list[int | None]) -> None:
    events = [good(number) if how is None else spoilt(number, how) for number, how in enumerate(plan)]
    judged = judge(batch(events), NOW, None, by_rules)
    assert [each.index for each in judged.refused] == [number for number, how in enumerate(plan) if how is not None]
    assert list(judged.fit) == [event for event, how in zip(events, plan, strict=True) if how is None]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_every_event_gets_exactly_one_verdict(numbers: list[int]) -> None:
    events = [good(number) for number in numbers]
    judged = judge(batch(events), NOW, None, by_rules)
    assert not judged.refused
    assert len(judged.fit) + judged.repeated == len(events)
    assert [each.id for each in judged.fit] == list(dict.fromkeys(each.id for each in events))


def test_of_different_events_with_one_id_the_first_that_is_fit_is_taken() -> None:
    bad, first, second = spoilt(1, 2), good(1), good(1)
    second.attempt.correct = True
    judged = judge(batch([bad, first, second]), NOW, None, by_rules)
    assert list(judged.fit) == [first]
    assert [(each.index, each.field) for each in judged.refused] == [(0, "payload"), (2, "id")]


def test_ids_that_differ_in_case_only_are_one_id_and_come_out_in_lower_case() -> None:
    id = str(uuid4())
    upper, lower = good(1), good(1)
    upper.id, lower.id = id.upper(), id
    judged = judge(batch([upper, lower]), NOW, None, by_rules)
    assert [each.id for each in judged.fit] == [id]
    assert judged.repeated == 1


def test_a_learner_sends_their_own_events_only(attempt: Attempt) -> None:
    judged = judge(batch([attempt("ada"), attempt("bob"), attempt("ada")]), NOW, {"learners/ada"}, by_rules)
    assert [each.learner for each in judged.fit] == ["learners/ada", "learners/ada"]
    assert [(each.index, each.field) for each in judged.refused] == [(1, "learner")]


def test_a_refusal_tells_no_more_of_an_id_than_an_id_can_be() -> None:
    event = good(1)
    event.id = "x" * 100_000
    assert judge(batch([event]), NOW, None, by_rules).refused[0].id == "x" * 128
