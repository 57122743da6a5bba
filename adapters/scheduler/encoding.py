"""The one form in which learners' states and publications are kept, in the database and in the cache.

A state is its sequence (8 bytes, big-endian, so that a script in the cache can compare it), a version of the form, the lengths of its
tables, and the tables as the domain has them: nothing is parsed when it is read. With 100 answered items it has about 6 kB.
"""

import struct

import numpy as np
import orjson

from domain.scheduler.model import Publication, PublishedItem, PublishedSkill
from domain.scheduler.state import ABILITY, ITEM, RECENT, SKILL, LearnerState

_FORM = 1
_HEAD = struct.Struct(">QBIIII")


def encoded_state(state: LearnerState) -> bytes:
    tables = (state.items, state.skills, state.abilities, state.recent)
    head = _HEAD.pack(state.sequence, _FORM, *(len(each) for each in tables))
    return b"".join((head, *(each.tobytes() for each in tables)))


def decoded_state(data: bytes) -> LearnerState | None:
    """Returns None for a form of another version: whoever keeps it makes it again from what is durable, or from the log."""
    sequence, form, *lengths = _HEAD.unpack_from(data)
    if form != _FORM:
        return None
    tables = []
    offset = _HEAD.size
    for dtype, length in zip((ITEM, SKILL, ABILITY, RECENT), lengths, strict=True):
        tables.append(np.frombuffer(data, dtype, length, offset))
        offset += length * dtype.itemsize
    return LearnerState(sequence, *tables)


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
