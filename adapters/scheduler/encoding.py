"""The one form in which learners' states and publications are kept, in the database and in the cache.

A state is its sequence (8 bytes, big-endian, so that a script in the cache can compare it), a version of the form, the lengths of its
tables, its lineage, and the tables as the domain has them: nothing is parsed when it is read. With 100 answered items it has about 6 kB.
"""

import struct

import numpy as np
import orjson

from domain.scheduler.model import ProgressUpdate, Publication, PublishedItem, PublishedSkill, SkillMastery
from domain.scheduler.state import ABILITY, ITEM, RECENT, SKILL, LearnerState

_FORM = 2
_HEAD = struct.Struct(">QBIIIIQ")
_FORM_1 = struct.Struct(">QBIIII")  # without a lineage


def encoded_state(state: LearnerState) -> bytes:
    tables = (state.items, state.skills, state.abilities, state.recent)
    head = _HEAD.pack(state.sequence, _FORM, *(len(each) for each in tables), state.lineage)
    return b"".join((head, *(each.tobytes() for each in tables)))


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
    return LearnerState(sequence, items, skills, abilities, recent, lineage)


def encoded_number(number: int) -> bytes:
    """Returns a publication's number as a state's sequence is kept, so that one script compares both."""
    return struct.pack(">Q", number)


def decoded_number(data: bytes) -> int:
    return int(struct.unpack(">Q", data)[0])


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
            [[each.skill, each.mean, each.lower, each.upper, each.attempts] for each in update.skills],
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
