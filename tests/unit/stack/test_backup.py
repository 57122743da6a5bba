"""Backups as folders: contents, manifests, the choice of what to restore, the cut of the log, sealing, pruning."""

import io
import json
import os
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.backup import topics
from stack.backup.comparison import compare_tables
from stack.backup.repository import FULL, INCREMENTAL, BackupFailed, Entry, Manifest, Repository, to_prune
from stack.backup.restoring import plan
from stack.backup.sealing import seal, unseal
from stack.backup.source import Source
from stack.certificates import Certificates
from stack.home import Home
from stack.retention.log import apply_log, plan_log
from stack.retention.policy import Policy, WrongPolicy

PARTITION = "events/clusters/paideia/topics/user.attempts/partitions/0000000000"
NOTHING = Entry("home.sealed", "0" * 64, 0, 0)


def manifest(number: int, kind: str = FULL, lineage: str = "a", **more: object) -> Manifest:
    """A backup of the second `number` after 1970."""
    id = f"19700101T0000{number:02}-0000"
    made = Manifest(id, kind, number * 10**9, id, lineage, "system", 1.0, (), (), (), (), (), NOTHING)
    return replace(made, **more)  # type: ignore[arg-type]


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def batch(events: int) -> bytes:
    """A batch of Kafka's format, as far as its header."""
    return struct.pack(">qiibIhi", 0, 49, 0, 2, 0, 0, events - 1) + bytes(40)


def told(what: str, done: int, total: int) -> None:
    return None


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "backups")
    repository.create()
    return repository


def test_a_content_is_kept_once_however_often_it_comes(repository: Repository) -> None:
    first = repository.keep(io.BytesIO(b"same"), "a", 1)
    second = repository.keep(io.BytesIO(b"same"), "b", 2)
    assert first.sha256 == second.sha256
    assert [each.name for each in (repository.path / "objects").glob("*/*")] == [first.sha256]


def test_a_finished_backup_is_read_as_it_was_written_and_an_unfinished_one_is_none(repository: Repository) -> None:
    made = manifest(1, objects=(repository.keep(io.BytesIO(b"x"), "events/x", 7),))
    repository.finish(made)
    (repository.path / "backups" / "19700101T000002-0000").mkdir()
    assert repository.manifests() == [made]


def test_nothing_is_removed_while_a_backup_is_being_made(repository: Repository) -> None:
    with repository.writing():
        kept = repository.keep(io.BytesIO(b"x"), "events/x", 7)
        with pytest.raises(BackupFailed, match="another command"):
            repository.forget([])
        with pytest.raises(BackupFailed, match="another command"), repository.writing():
            pass
        repository.finish(manifest(1, objects=(kept,)))
    assert repository.forget([]) == (0, 0)
    assert repository.has(kept)


def test_verifying_finds_what_was_changed_and_what_is_gone(repository: Repository) -> None:
    kept = [repository.keep(io.BytesIO(bytes([n])), f"o{n}", 0) for n in range(3)]
    repository.finish(manifest(1, objects=tuple(kept), sealed=kept[0]))
    assert repository.verify(repository.manifests(), told).damages == []
    repository.content(kept[1]).write_bytes(b"other")
    repository.content(kept[2]).unlink()
    found = repository.verify(repository.manifests(), told)
    assert {each.path for each in found.damages} == {"o1", "o2"}
    assert found.contents == 3


def test_forgetting_a_backup_removes_only_what_no_other_has(repository: Repository) -> None:
    shared, alone = (repository.keep(io.BytesIO(each), "o", 0) for each in (b"shared", b"alone"))
    old = manifest(1, objects=(shared, alone), sealed=shared)
    repository.finish(old)
    repository.finish(manifest(2, objects=(shared,), sealed=shared))
    assert repository.forget([old]) == (1, 5)
    assert repository.has(shared)
    assert repository.verify(repository.manifests(), told).damages == []


def test_pruning_keeps_the_newest_full_backups_and_what_follows_them() -> None:
    all_of_them = [manifest(1), manifest(2, INCREMENTAL), manifest(3), manifest(4, INCREMENTAL), manifest(5)]
    assert to_prune(all_of_them, 2) == all_of_them[:2]
    assert to_prune(all_of_them, 3) == []


def test_a_moment_is_restored_from_the_newest_base_before_it_up_to_the_first_backup_behind_it() -> None:
    backups = [manifest(1), manifest(2, INCREMENTAL), manifest(4), manifest(6, INCREMENTAL), manifest(8, INCREMENTAL)]
    assert [each.point_ns // 10**9 for each in plan(backups, at(5)).chain] == [4, 6]
    assert [each.point_ns // 10**9 for each in plan(backups, at(3)).chain] == [1, 2, 4]
    newest = plan(backups, None)
    assert (newest.target, newest.exactly) == (backups[-1], True)


@pytest.mark.parametrize("seconds", [0.5, 9.0])
def test_a_moment_before_the_first_or_after_the_last_backup_is_refused_with_the_reason(seconds: float) -> None:
    with pytest.raises(BackupFailed, match="can be restored"):
        plan([manifest(1), manifest(8, INCREMENTAL)], at(seconds))


def test_a_moment_in_a_gap_of_the_write_ahead_log_is_refused() -> None:
    with pytest.raises(BackupFailed, match="not kept"):
        plan([manifest(1), manifest(5, lineage="b")], at(3))


def test_the_offsets_of_a_moment_are_those_noted_before_it() -> None:
    early, late = (Entry("offsets", name * 64, 1, 0) for name in "ab")
    backups = [manifest(1, offsets=(early,)), manifest(5, INCREMENTAL, offsets=(late,))]
    assert plan(backups, at(3)).offsets == (early,)
    assert plan(backups, at(5)).offsets == (late,)


def test_an_object_that_was_removed_meanwhile_comes_from_the_older_backup() -> None:
    gone, changed, new = (Entry(name, digest * 64, 1, 0) for name, digest in (("gone", "a"), ("changed", "b"), ("changed", "c")))
    found = plan([manifest(1, objects=(gone, changed)), manifest(5, INCREMENTAL, objects=(new,))], None).objects
    assert set(found) == {gone, new}


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 100)), min_size=1, max_size=12), st.integers(-1, 101))
def test_a_cut_partition_ends_behind_its_last_batch_and_before_the_first_that_was_left_out(
    batches: list[tuple[int, int]], moment: int
) -> None:
    """Batches of so many events, written at such times."""
    first, entries, sizes = 0, [], {}
    for events, written in batches:
        entries.append(Entry(f"{PARTITION}/records/{first:020}.batch", "0" * 64, 1, written))
        sizes[entries[-1].path] = (first, events)
        first += events
    kept, ends = topics.cut(entries, moment)
    assert {each.path for each in entries} - {each.path for each in kept} == {
        each.path for each in entries if each.written_ns > moment
    }
    if ends:
        assert ends == {PARTITION: min(sizes[each.path][0] for each in entries if each.written_ns > moment)}


def test_watermarks_follow_the_cut_even_where_a_batch_was_written_out_of_turn(tmp_path: Path) -> None:
    folder = tmp_path / PARTITION
    (folder / "records").mkdir(parents=True)
    (folder / "records" / f"{10:020}.batch").write_bytes(batch(5))
    (folder / "watermark.json").write_text(json.dumps({"low": 3, "high": 40, "timestamps": None}))
    topics.mend_watermarks(tmp_path, {PARTITION: 7})
    assert json.loads((folder / "watermark.json").read_text()) == {"low": 3, "high": 15, "timestamps": None}


def test_sealed_files_come_back_with_their_modes_and_only_with_the_passphrase(tmp_path: Path) -> None:
    source = tmp_path / "home"
    (source / "secrets").mkdir(parents=True)
    (source / "secrets" / "key").write_text("very secret")
    (source / "secrets" / "key").chmod(0o600)
    sealed = seal(source, ["secrets/key"], "correct horse")
    assert b"very secret" not in sealed
    unseal(sealed, "correct horse", tmp_path / "new")
    assert (tmp_path / "new" / "secrets" / "key").read_text() == "very secret"
    assert (tmp_path / "new" / "secrets" / "key").stat().st_mode & 0o777 == 0o600
    for wrong, content in (("battery staple", sealed), ("correct horse", sealed[:-1] + bytes([sealed[-1] ^ 1])), ("x", b"")):
        with pytest.raises(BackupFailed, match="passphrase"):
            unseal(content, wrong, tmp_path / "other")


def test_certificates_come_back_with_the_links_that_show_their_version(tmp_path: Path) -> None:
    home, new = Home(tmp_path / "home"), Home(tmp_path / "new")
    home.create()
    Certificates(home.certificates).ensure_workload("stack")
    unseal(seal(home.path, Source(home, 1, "unused").settings(), "correct horse"), "correct horse", new.path)
    ours, theirs = (Certificates(each.certificates) for each in (home, new))
    assert theirs.describe() == ours.describe()
    assert (theirs.workload("stack") / "..data").is_symlink()
    theirs.ensure_workload("stack")
    assert theirs.describe() == ours.describe()


def test_a_table_that_is_neither_as_before_nor_as_after_differs_unless_it_was_changing() -> None:
    before = {"quiet": (1, "a"), "busy": (1, "a"), "moved": (1, "a"), "wrong": (1, "a")}
    after = before | {"busy": (2, "b"), "moved": (3, "c")}
    restored = before | {"busy": (2, "b"), "moved": (2, "b"), "wrong": (1, "z")}
    found = compare_tables(before, after, restored)
    assert (found.equal, found.changed_meanwhile, found.different) == (2, ["moved"], ["wrong"])


def test_what_was_on_its_way_at_the_moment_is_no_difference() -> None:
    empty, held = {"identity.outbox": (0, "0")}, {"identity.outbox": (1, "7")}
    found = compare_tables(empty, empty, held)
    assert (found.changed_meanwhile, found.different) == (["identity.outbox"], [])
    assert compare_tables(held, held, empty).different == ["identity.outbox"]


def log_of(tmp_path: Path, ages: list[float]) -> Path:
    """Batches of ten events each, so many days old; group `progress` is at 20."""
    folder = tmp_path / PARTITION / "records"
    folder.mkdir(parents=True)
    now = datetime.now(UTC)
    for number, age in enumerate(ages):
        file = folder / f"{number * 10:020}.batch"
        file.write_bytes(batch(10))
        moment = (now - timedelta(days=age)).timestamp()
        os.utime(file, (moment, moment))
    offsets = tmp_path / "events/clusters/paideia/groups/consumers/progress/offsets/user.attempts/partitions"
    offsets.mkdir(parents=True)
    (offsets / "0000000000.json").write_text(json.dumps({"offset": 20, "leader_epoch": -1}))
    return folder


@pytest.mark.parametrize(
    ("ages", "lake", "left"),
    [
        ([9, 8, 7, 6], 100, ["20", "30"]),  # progress has passed two
        ([9, 8, 7, 6], 10, ["10", "20", "30"]),  # the lake has passed one
        ([9, 1, 7, 6], 100, ["10", "20", "30"]),  # what is young protects what is behind it
        ([9], 100, ["0"]),  # the newest stays
        ([1, 1], 100, ["0", "10"]),
    ],
)
def test_only_batches_that_are_old_and_that_every_reader_has_passed_are_removed(
    tmp_path: Path, ages: list[float], lake: int, left: list[str]
) -> None:
    records = log_of(tmp_path, ages)
    older_than = (datetime.now(UTC) - timedelta(days=5)).timestamp()
    plans = plan_log(tmp_path, older_than, {("user.attempts", 0): lake})
    assert apply_log(tmp_path, plans) == len(ages) - len(left)
    assert [str(int(each.stem)) for each in sorted(records.iterdir())] == left
    assert not plan_log(tmp_path, older_than, {("user.attempts", 0): lake})[0].batches


@pytest.mark.parametrize(
    "text",
    [
        "attempts_months: -1",
        "attempts_months: 1.5",
        "topic_days: true",
        "topic_days: 1",
        "forever: 1",
        "[1]",
        "a: [",
        "months_ahead: 99",
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "retention.yaml"
    file.write_text(text)
    with pytest.raises(WrongPolicy):
        Policy.read(file)


def test_without_a_policy_attempts_stay_for_ever(tmp_path: Path) -> None:
    assert Policy.read(tmp_path / "retention.yaml").attempts_months == 0
