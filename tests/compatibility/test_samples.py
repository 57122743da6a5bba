"""What every release has written, this one reads."""

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from adapters.shared.topics import TYPES
from services.progress.messages import answer_of
from tests.compatibility.samples import FOLDER, Sample, full_messages, message_class, missing, stored, types

SAMPLES = sorted(FOLDER.rglob("*.json"))
NAMES = [str(each.relative_to(FOLDER)) for each in SAMPLES]


@pytest.mark.parametrize("path", SAMPLES, ids=NAMES)
def test_a_stored_event_still_says_what_it_said(path: object) -> None:
    sample = Sample.read(path)  # type: ignore[arg-type]
    message = message_class(sample.type).FromString(sample.value)
    content = json_format.MessageToDict(message)
    assert {name: content.get(name) for name in sample.content} == sample.content
    assert message.SerializeToString(deterministic=True) == sample.value, "nothing is lost on the way through"


def test_every_event_that_the_topics_carry_has_a_sample_of_its_present_shape() -> None:
    lacking = [str(each.path.relative_to(FOLDER)) for each in missing("next")]
    assert lacking == [], "python -m tests.compatibility.samples --release RELEASE --write"


def test_every_event_has_its_topic() -> None:
    """A type that is not in `adapters/shared/topics.py` would be put aside by every consumer."""
    packages = {each.rpartition(".")[0] for each in types()}
    for package in packages:
        file = message_class(next(each for each in types() if each.startswith(f"{package}."))).DESCRIPTOR.file
        used = {
            field.message_type.full_name
            for message in file.message_types_by_name.values()
            for field in message.fields
            if field.type == FieldDescriptor.TYPE_MESSAGE
        }
        events = {each.full_name for each in file.message_types_by_name.values()} - used
        assert events <= set(types()), package


def test_a_listed_type_is_an_event_of_some_context() -> None:
    for topic, listed in TYPES.items():
        for type in listed:
            assert message_class(type).DESCRIPTOR.full_name == type, topic


@pytest.mark.parametrize("type", ["paideia.ingestion.v1.LearningEvent", "paideia.progress.v1.ProgressUpdated"])
def test_an_event_of_a_newer_release_is_read_with_what_is_known_of_it(type: str) -> None:
    variant, message = next(full_messages(type))
    newer = message.SerializeToString(deterministic=True) + b"\xa2\x06\x05later"  # field 100, a text
    read = message_class(type).FromString(newer)
    assert json_format.MessageToDict(read) == json_format.MessageToDict(message), variant
    assert b"later" in read.SerializeToString(), "whoever passes it on passes all of it on"


def test_progress_counts_the_attempts_of_every_release() -> None:
    attempts = [each for each in stored() if (each.type, each.variant) == ("paideia.ingestion.v1.LearningEvent", "attempt")]
    assert attempts
    for sample in attempts:
        message = message_class(sample.type).FromString(sample.value)
        # A sample's texts say which field they are; names have a form of their own.
        message.id = "8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e"
        message.learner, message.course, message.attempt.item = "learners/ada", "courses/fractions", "items/half"
        message.attempt.decision = message.attempt.test_session = ""
        del message.attempt.skills[:]
        message.attempt.skills.append("skills/halves")
        message.attempt.score = 1.0
        answer = answer_of(message, "")
        assert (answer.id, answer.learner) == (message.id, "ada"), sample.path
