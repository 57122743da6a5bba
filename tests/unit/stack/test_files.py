"""Secrets, logs, records and processes on disk."""

import asyncio
import base64
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.assembly import Assembly
from stack.home import Home
from stack.log_files import PartLog
from stack.part import PartFailed
from stack.parts.host import Host
from stack.parts.wheels import binary
from stack.processes import ProcessId, port_taken
from stack.record import PartRecord, StackRecord, read_record
from stack.secret_files import SecretFiles
from stack.settings import StackSettings
from stack.supervisor import Supervisor


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


def test_a_secret_is_made_once_and_only_its_owner_reads_it(home: Home) -> None:
    secrets = SecretFiles(home.secrets)
    first = secrets.password("valkey")
    assert secrets.password("valkey") == first
    assert SecretFiles(home.secrets).password("valkey") == first
    assert secrets.password("other") != first
    assert stat.S_IMODE(secrets.path("valkey").stat().st_mode) == 0o600


def test_keys_are_32_bytes_in_base64_and_typed_passwords_are_long_enough_for_the_platform(home: Home) -> None:
    secrets = SecretFiles(home.secrets)
    assert len(base64.b64decode(secrets.key("mesh_key"), validate=True)) == 32
    assert 12 <= len(secrets.typed_password("admin_password")) <= 256


@given(
    lines=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=50) | st.just("{x}") | st.just('{"a": 1}'),
        max_size=20,
    ),
    cut=st.integers(1, 9),
)
def test_whatever_a_part_writes_and_however_it_arrives_each_line_becomes_one_json_object(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], cut: int
) -> None:
    path = tmp_path_factory.mktemp("logs") / "part.log"
    log = PartLog(path, "part")

    async def write() -> None:
        stream = asyncio.StreamReader()
        data = "\n".join(lines).encode()
        for start in range(0, len(data), cut):
            stream.feed_data(data[start : start + cut])
        stream.feed_eof()
        await log.follow(stream)

    asyncio.run(write())
    log.close()
    written = path.read_bytes().splitlines() if path.exists() else []
    assert len(written) == len([line for line in lines if line.encode().strip()])
    assert all(isinstance(json.loads(line), dict) for line in written)


def test_a_log_is_begun_anew_when_it_is_full_and_the_old_one_is_kept(tmp_path: Path) -> None:
    log = PartLog(tmp_path / "part.log", "part", limit=200)
    for number in range(10):
        log.write([b"line %d" % number])
    log.close()
    kept = (tmp_path / "part.log.1").read_text() + (tmp_path / "part.log").read_text()
    assert "line 9" in kept
    assert (tmp_path / "part.log").stat().st_size < 400


def test_a_record_is_read_as_it_was_written_and_nonsense_is_no_record(home: Home) -> None:
    record = StackRecord(
        "ready", str(home.path), "http://x", "demo", "admin", "file", 1, "b", parts={"a": PartRecord(pid=2, birth="c")}
    )
    record.write(home.record)
    assert read_record(home.record) == record
    for nonsense in ("", "{", "[]", '{"state": "ready"}', '{"parts": {"a": {"colour": 1}}}'):
        home.record.write_text(nonsense)
        assert read_record(home.record) is None


def test_a_process_is_known_by_its_birth_so_that_its_number_may_be_used_again() -> None:
    own = ProcessId.of(os.getpid())
    assert own
    assert own.alive
    assert not ProcessId(own.pid, "another birth").alive
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    assert ProcessId.of(child.pid) is None


def test_a_taken_port_is_seen() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert port_taken(port)
    assert not port_taken(port)


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(PartFailed, match="nothing_of_the_kind"):
        binary("nothing_of_the_kind", "bin", "program")
    with pytest.raises(PartFailed, match="not built for this machine"):
        binary("stack", "no-such-program")


def test_the_assembled_parts_can_start_in_order_and_use_no_port_twice(home: Home) -> None:
    assembly = Assembly(home, StackSettings(port_base=23000, processes="identity,catalog;assessment*2"))
    parts = assembly.parts()
    Supervisor(parts, home, assembly.record(parts))
    ports = [
        (part.name.split(".")[0], port) for part in parts for purpose, port in part.ports.items() if "metrics" not in purpose
    ]
    assert len({port for _, port in ports}) == len(set(ports))
    names = [part.name for part in parts]
    assert names[-1] == "edge"
    assert {"identity+catalog", "assessment.1", "assessment.2"} <= set(names)
    assert all(part.after.index("migrations") >= 0 for part in parts if isinstance(part, Host))


def test_hosts_learn_where_everything_is_and_stores_learn_nothing_of_our_environment(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "somebody's")
    parts = {part.name: part for part in Assembly(home, StackSettings(port_base=23000, processes="identity;catalog")).parts()}
    host = parts["catalog"].command()
    assert host.argv[1:] == ("-m", "services.host", "catalog")
    assert host.environment["PAIDEIA_TARGETS"] == "identity=127.0.0.1:23010,catalog=127.0.0.1:23011"
    assert host.environment["PAIDEIA_POSTGRES_DSN"] == "postgresql://{role}@127.0.0.1:23080/paideia"
    assert not any(
        "AWS_SESSION_TOKEN" in parts[name].command().environment for name in ("broker", "objects", "valkey", "catalog")
    )


def test_no_password_stands_on_a_command_line(home: Home) -> None:
    parts = Assembly(home, StackSettings()).parts()
    secrets = [file.read_text().strip() for file in home.secrets.iterdir()]
    for part in parts:
        if part.name != "postgres":  # its command makes an account when root asks
            assert not any(secret in " ".join(part.command().argv) for secret in secrets)
