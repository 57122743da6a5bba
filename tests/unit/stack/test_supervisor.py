"""Supervision of tiny real processes."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack.home import Home
from stack.launch import run_once
from stack.part import Command, Health, PartFailed, PlainPart
from stack.processes import ProcessId
from stack.record import StackRecord, read_record
from stack.supervised import Pace
from stack.supervisor import AlreadyRunning, StackFailed, Supervisor, new_record, only_supervisor, stop_orphans

QUICK = Pace(
    first_delay=0.01, longest_delay=0.05, calm=60, probe_starting=0.02, probe_ready=0.05, probe_trouble=0.02, silence=0.3
)
LIVES = "import time; time.sleep(600)"


@dataclass
class Script(PlainPart):
    """A part whose program is a line of Python; it is ready when `answers` says so."""

    name: str
    program: str = LIVES
    after: tuple[str, ...] = ()
    runs_once: bool = False
    grace_seconds: float = 5.0
    answers: Callable[[], Health] = lambda: Health.READY
    address: str = ""
    stopped_with: list[str] | None = None

    async def prepare(self) -> None:
        if self.program == "unpreparable":
            raise PartFailed("its directory is gone")

    def command(self) -> Command:
        return Command((sys.executable, "-S", "-c", textwrap.dedent(self.program)), dict(os.environ))

    async def probe(self) -> Health:
        return self.answers()

    async def drain(self) -> None:
        if self.stopped_with is not None:
            self.stopped_with.append(self.name)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def record_of(home: Home) -> StackRecord:
    return new_record(home, "http://127.0.0.1:1", "demo", "admin", {})


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def supervised(home: Home, *parts: Script, start_seconds: float = 20) -> AsyncIterator[StackRecord]:
    """Runs the parts until they are ready, and stops them at the end."""
    record = record_of(home)
    supervisor = Supervisor(parts, home, record, start_seconds, QUICK)
    task = asyncio.create_task(supervisor.run())
    try:
        await until(lambda: record.state == "ready" or task.done())
        if task.done():
            task.result()
        yield record
    finally:
        supervisor.stop()
        if not task.done():
            await task


async def test_a_part_starts_when_those_before_it_are_ready_and_stops_before_them(home: Home) -> None:
    order: list[str] = []
    up = {"store": False}
    store = Script("store", answers=lambda: Health.READY if up["store"] else Health.SILENT, stopped_with=order)
    host = Script("host", after=("store",), stopped_with=order)
    edge = Script("edge", after=("host",), stopped_with=order)
    record = record_of(home)
    supervisor = Supervisor([edge, host, store], home, record, 20, QUICK)
    running = asyncio.create_task(supervisor.run())
    await until(lambda: record.parts["store"].pid)
    assert record.parts["host"].state == "waiting"
    up["store"] = True
    await until(lambda: record.state == "ready")
    pids = [part.process for part in record.parts.values()]
    supervisor.stop()
    await running
    assert order == ["edge", "host", "store"]
    assert not any(process and process.alive for process in pids)
    assert record.state == "stopped"


async def test_a_killed_part_is_started_again_and_the_others_are_not_touched(home: Home) -> None:
    async with supervised(home, Script("store"), Script("host", after=("store",))) as record:
        store, host = record.parts["store"], record.parts["host"]
        killed, neighbour = store.process, host.pid
        assert killed
        killed.signal(signal.SIGKILL)
        await until(lambda: store.restarts == 1 and store.state == "ready" and record.state == "ready")
        assert store.pid != killed.pid
        assert host.pid == neighbour
        assert host.restarts == 0


async def test_a_part_that_answers_nothing_any_more_is_restarted(home: Home) -> None:
    health = {"now": Health.READY}
    async with supervised(home, Script("store", answers=lambda: health["now"])) as record:
        part = record.parts["store"]
        health["now"] = Health.SILENT
        await until(lambda: part.state == "failed")
        assert "answered nothing" in part.error
        health["now"] = Health.READY
        await until(lambda: part.restarts == 1 and part.state == "ready")


async def test_a_part_that_says_it_cannot_serve_is_left_alone(home: Home) -> None:
    health = {"now": Health.READY}
    async with supervised(home, Script("host", answers=lambda: health["now"])) as record:
        pid = record.parts["host"].pid
        health["now"] = Health.NOT_READY
        await until(lambda: record.state == "degraded")
        await asyncio.sleep(2 * QUICK.silence)
        health["now"] = Health.READY
        await until(lambda: record.state == "ready")
        assert record.parts["host"].pid == pid


async def test_a_task_is_repeated_until_it_succeeds_and_then_done_for_good(home: Home, tmp_path: Path) -> None:
    count = tmp_path / "count"
    program = f"""
        from pathlib import Path
        import sys
        file = Path({str(count)!r})
        tries = int(file.read_text()) + 1 if file.exists() else 1
        file.write_text(str(tries))
        sys.exit(tries < 3)
    """
    async with supervised(home, Script("migrations", program, runs_once=True), Script("host", after=("migrations",))) as record:
        assert record.parts["migrations"].state == "done"
        assert count.read_text() == "3"


async def test_a_part_that_never_starts_fails_the_stack_with_its_own_last_words_and_leaves_nothing_running(home: Home) -> None:
    record = record_of(home)
    dies = "import sys; print('port is taken'); sys.exit(3)"
    parts = [Script("store"), Script("host", dies, after=("store",), answers=lambda: Health.NOT_READY)]
    with pytest.raises(StackFailed, match=r"host does not start: it ended with code 3: port is taken; see .*host\.log"):
        await Supervisor(parts, home, record, 20, QUICK).run()
    assert record.state == "failed"
    assert not any(part.process and part.process.alive for part in record.parts.values())


async def test_a_part_that_cannot_be_prepared_says_why(home: Home) -> None:
    with pytest.raises(StackFailed, match="its directory is gone"):
        await Supervisor([Script("store", "unpreparable")], home, record_of(home), 20, QUICK).run()


async def test_a_part_that_is_never_ready_is_named_when_time_is_up(home: Home) -> None:
    with pytest.raises(StackFailed, match="store was not ready after 1 s"):
        await Supervisor([Script("store", answers=lambda: Health.NOT_READY)], home, record_of(home), 1, QUICK).run()


async def test_a_part_that_ignores_its_signal_is_killed_when_its_grace_is_over(home: Home) -> None:
    stubborn = Script("store", "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)")
    stubborn.grace_seconds = 0.2
    stubborn.answers = lambda: Health.READY if home.log("store").exists() else Health.SILENT
    async with supervised(home, stubborn) as record:
        process = record.parts["store"].process
    assert process
    assert not process.alive


async def test_a_part_that_waits_for_a_stranger_or_in_a_circle_is_refused(home: Home) -> None:
    with pytest.raises(ValueError, match="host waits for nothing"):
        Supervisor([Script("host", after=("nothing",))], home, record_of(home))
    with pytest.raises(ValueError, match="cycle"):
        Supervisor([Script("a", after=("b",)), Script("b", after=("a",))], home, record_of(home))


async def test_every_line_of_a_log_is_a_json_object(home: Home) -> None:
    program = r"""
        import time
        print('{"level": "info", "message": "mine"}')
        print("\x1b[31mplain\x1b[0m text", flush=True)
        time.sleep(600)
    """
    async with supervised(home, Script("host", program)):
        await until(lambda: home.log("host").exists() and home.log("host").read_text().count("\n") == 2)
    first, second = (json.loads(line) for line in home.log("host").read_text().splitlines()[:2])
    assert first == {"level": "info", "message": "mine"}
    assert second["message"] == "plain text"
    assert second["part"] == "host"


async def test_the_record_says_what_runs(home: Home) -> None:
    async with supervised(home, Script("store"), Script("host", after=("store",))):
        found = read_record(home.record)
        assert found
        assert found.state == "ready"
        assert found.supervisor == ProcessId.of(os.getpid())
        assert all(part.process and part.process.alive for part in found.parts.values())


def test_only_one_supervisor_has_a_directory(home: Home) -> None:
    with only_supervisor(home), pytest.raises(AlreadyRunning, match="runs in"), only_supervisor(home):
        pass
    with only_supervisor(home):
        pass


async def test_what_a_killed_supervisor_left_is_found_and_stopped_but_never_a_stranger(home: Home) -> None:
    left = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", LIVES, start_new_session=True)
    stranger = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", LIVES, start_new_session=True)
    try:
        record = record_of(home)
        Supervisor([Script("left"), Script("stranger")], home, record)
        known = ProcessId.of(left.pid)
        assert known
        record.parts["left"].pid, record.parts["left"].birth = left.pid, known.birth
        record.parts["stranger"].pid, record.parts["stranger"].birth = stranger.pid, "another boot:1"
        record.write(home.record)
        assert await asyncio.to_thread(stop_orphans, home) == 1
        assert await left.wait() == -signal.SIGTERM
        assert stranger.returncode is None
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_command_stands_back_as_far_as_it_is_told() -> None:
    program = f"import os, sys; sys.exit(os.nice(0) != {os.nice(0) + 5})"
    await run_once(Command((sys.executable, "-S", "-c", program), dict(os.environ), niceness=5), "the command")
    with pytest.raises(PartFailed):
        await run_once(Command((sys.executable, "-S", "-c", program), dict(os.environ)), "the command")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
async def test_parts_end_with_their_supervisor_even_when_it_is_killed(home: Home, tmp_path: Path) -> None:
    program = f"""
        import asyncio, sys
        from stack.launch import launch
        from stack.part import Command
        import signal, os
        async def main():
            start = launch(Command((sys.executable, "-S", "-c", {LIVES!r}), dict(os.environ)), signal.SIGTERM)
            process = await asyncio.create_subprocess_exec(*start.pop("args"), **start)
            print(process.pid, flush=True)
            await process.wait()
        asyncio.run(main())
    """
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(program), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert supervisor.stdout
    pid = int(await supervisor.stdout.readline())
    child = ProcessId.of(pid)
    assert child
    supervisor.kill()
    await supervisor.wait()
    await until(lambda: not child.alive)
