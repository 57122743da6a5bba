"""The one form in which learners' states and publications are kept, in the database and in the cache.

A state is its sequence, the number of the form, the lengths of its tables, its lineage, the tables as the domain has them, and the last repair
if there was one: nothing is parsed when it is read. With 100 answered items it has about 6 kB. In the cache its version stands before it (8
bytes, big-endian, so that a script can compare it).
"""

import struct
from collections.abc import Sequence

import numpy as np
import orjson

from domain.scheduler.model import (
    CourseAbility,
    ProgressUpdate,
    Publication,
    PublishedItem,
    PublishedSkill,
    Repair,
    SkillMastery,
)
from domain.scheduler.state import ABILITY, ITEM, MOST_REPAIRS, RECENT, SKILL, LearnerState

_FORM = 2
_HEAD = struct.Struct(">QBIIIIQ")
_FORM_1 = struct.Struct(">QBIIII")  # without a lineage
_NUMBER = struct.Struct(">Q")


def encoded_state(state: LearnerState) -> bytes:
    tables = (state.items, state.skills, state.abilities, state.recent)
    head = _HEAD.pack(state.sequence, _FORM, *(len(each) for each in tables), state.lineage)
    # At the end, where a release that knows nothing of repairs does not look.
    repair = _NUMBER.pack(state.revision) if state.revision else b""
    return b"".join((head, *(each.tobytes() for each in tables), repair))


def decoded_state(data: bytes) -> LearnerState | None:
    """Returns None for a form of another version: whoever keeps it makes it again from what is durable, or from the log."""
    form, lineage = data[8], 0
    if form == _FORM:
        sequence, _, *lengths, lineage = _HEAD.unpack_from(data)
    elif form == 1:
        sequence, _, *lengths = _FORM_1.unpack_from(data)
    else:
        return None
    tables = []
    offset = _HEAD.size if form == _FORM else _FORM_1.size
    for dtype, length in zip((ITEM, SKILL, ABILITY, RECENT), lengths, strict=True):
        tables.append(np.frombuffer(data, dtype, length, offset))
        offset += length * dtype.itemsize
    items, skills, abilities, recent = tables
    revision = _NUMBER.unpack_from(data, offset)[0] if offset < len(data) else 0
    return LearnerState(sequence, items, skills, abilities, recent, lineage, revision)


def encoded_cached_state(state: LearnerState) -> bytes:
    """Returns a state as the cache keeps it: sequence and revision as one number below 2^53, and the state."""
    return _NUMBER.pack(state.sequence * (MOST_REPAIRS + 1) + state.revision) + encoded_state(state)


def decoded_cached_state(data: bytes) -> LearnerState | None:
    """Returns None for a form of another version."""
    # Before there were repairs a state stood alone, with its form in this place; now its sequence begins here, the first byte of which is 0.
    return decoded_state(data if data[8] else data[8:])


def encoded_number(number: int) -> bytes:
    """Returns a publication's number as a state's version is kept, so that one script compares both."""
    return _NUMBER.pack(number)


def decoded_number(data: bytes) -> int:
    return int(_NUMBER.unpack(data)[0])


def encoded_publication(publication: Publication) -> bytes:
    return orjson.dumps(
        {
            "skills": [[each.id, each.title, each.prerequisites] for each in publication.skills],
            "items": [[each.id, each.revision, each.skills] for each in publication.items],
        }
    )


def decoded_publication(course: str, number: int, data: bytes) -> Publication:
    content = orjson.loads(data)
    return Publication(
        course,
        number,
        tuple(PublishedSkill(skill, title, tuple(before)) for skill, title, before in content["skills"]),
        tuple(PublishedItem(item, revision, tuple(skills)) for item, revision, skills in content["items"]),
    )


def encoded_update(update: ProgressUpdate) -> bytes:
    """Returns an update without its learner and sequence, which are kept beside it."""
    return orjson.dumps(
        [
            update.course,
            update.item,
            update.score,
            update.correct,
            _skills_document(update.skills),
            update.ability,
            update.ability_error,
            update.item_difficulty,
            update.answered_at,
            update.response_seconds,
        ]
    )


def decoded_update(learner: str, sequence: int, data: bytes) -> ProgressUpdate:
    course, item, score, correct, skills, *rest = orjson.loads(data)
    return ProgressUpdate(learner, sequence, course, item, score, correct, tuple(SkillMastery(*each) for each in skills), *rest)


def encoded_repair(repair: Repair) -> bytes:
    """Returns a repair without its learner, sequence and revision, which are kept beside it."""
    return orjson.dumps([_skills_document(repair.skills), [[each.course, each.mean, each.error] for each in repair.abilities]])


def decoded_repair(learner: str, sequence: int, revision: int, data: bytes) -> Repair:
    skills, abilities = orjson.loads(data)
    return Repair(
        learner,
        sequence,
        revision,
        tuple(SkillMastery(*each) for each in skills),
        tuple(CourseAbility(*each) for each in abilities),
    )


def _skills_document(skills: Sequence[SkillMastery]) -> list[list[object]]:
    return [[each.skill, each.mean, each.lower, each.upper, each.attempts] for each in skills]
