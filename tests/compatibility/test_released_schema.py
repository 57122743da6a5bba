"""The contract only grows: nothing that a release promised is taken back."""

import subprocess
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).parents[2]
RELEASED = ROOT / "protos" / "released.binpb"
BUF = Path(sys.executable).parent / "buf"


def breaking(against: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BUF, "breaking", "protos", "--against", against], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_schema_breaks_nothing_that_was_released() -> None:
    found = breaking(RELEASED)
    assert found.returncode == 0, found.stdout


def test_a_field_that_disappears_is_noticed(tmp_path: Path) -> None:
    """The check itself: a released field that the schema does not have."""
    released = FileDescriptorSet.FromString(RELEASED.read_bytes())
    events = next(each for each in released.file if each.name == "paideia/ingestion/v1/events.proto")
    event = next(each for each in events.message_type if each.name == "LearningEvent")
    event.field.add(name="mood", number=999, label=1, type=9, json_name="mood")
    changed = tmp_path / "changed.binpb"
    changed.write_bytes(released.SerializeToString())
    found = breaking(changed)
    assert found.returncode != 0
    assert "mood" in found.stdout
