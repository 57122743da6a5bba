"""Makes the messages of the scheduler's rpc tests."""

from dataclasses import dataclass
from uuid import uuid4

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.progress.v1.events_pb2 import AbilityState, ProgressUpdated, SkillState
from paideia.scheduler.v1 import scheduler_service_pb2 as pb

from tests.unit.scheduler.making import ID, NOW


@dataclass(frozen=True)
class Message:
    """What a consumer reads of a message of the log."""

    value: bytes
    organization: str = "north"


OTHER = "11111111-2222-4333-8444-555555555555"


def next_items(**changes: object) -> pb.NextItemsRequest:
    usual: dict[str, object] = {"request_id": ID, "learner": "learners/ada", "course": "courses/sql", "size": 2}
    return pb.NextItemsRequest(**usual | changes)


def goal(**changes: object) -> pb.Goal:
    usual: dict[str, object] = {"deadline": Timestamp(seconds=int(NOW.timestamp()) + 30 * 86_400), "minutes_a_day": 20.0}
    return pb.Goal(**usual | changes)


def updated(sequence: int = 1, **changes: object) -> ProgressUpdated:
    usual: dict[str, object] = {
        "learner": "learners/ada",
        "sequence": sequence,
        "attempt": f"learners/ada/attempts/{uuid4()}",
        "course": "courses/sql",
        "item": "items/item-0",
        "score": 1.0,
        "correct": True,
        "predicted_correct": 0.5,
        "skills": [SkillState(skill="skills/a", mean=0.9, lower=0.7, upper=0.97, attempt_count=sequence)],
        "ability_mean": 0.3,
        "ability_standard_error": 0.8,
        "item_difficulty": -0.2,
        "answer_time": Timestamp(seconds=int(NOW.timestamp()) - 60),
        "response_time": Duration(seconds=9),
    }
    return ProgressUpdated(**usual | changes)


def repaired(sequence: int, revision: int = 1, ability: float = 0.3, **means: float) -> ProgressUpdated:
    """A repair as it is told: the newest attempt once more, with all mastery and all abilities."""
    return updated(
        sequence,
        revision=revision,
        skills=[
            SkillState(skill=f"skills/{each}", mean=mean, lower=mean / 2, upper=(1 + mean) / 2, attempt_count=sequence)
            for each, mean in means.items()
        ],
        abilities=[AbilityState(course="courses/sql", mean=ability, standard_error=0.5)],
    )
