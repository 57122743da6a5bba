"""The life of one part: started, watched, restarted, stopped."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from stack.launch import launch
from stack.log_files import PartLog
from stack.part import Health, Part, PartFailed
from stack.processes import ProcessId
from stack.record import PartRecord


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient supervision is, in seconds."""

    first_delay: float = 0.2
    """Before the first restart; each further one waits twice as long, up to `longest_delay`."""
    longest_delay: float = 30.0
    calm: float = 60.0
    """A part that lived as long as this starts again after `first_delay`."""
    probe_starting: float = 0.1
    probe_ready: float = 5.0
    probe_trouble: float = 1.0
    silence: float = 60.0
    """A part that answers nothing for so long is killed and restarted. One that answers "not ready" is left alone: it waits for another."""


class SupervisedPart:
    """Keeps one part running until stopped. `record` always says how it is; `changed` is called when that becomes different."""

    def __init__(self, part: Part, log: PartLog, changed: Callable[[], None], pace: Pace) -> None:
        self.part = part
        self.ready = asyncio.Event()
        """Set while it is ready, and for ever once a task is done."""
        self.failures_before_ready = 0
        self.record = PartRecord(
            address=part.address, metrics=part.metrics, stop_signal=int(part.stop_signal), after=list(part.after)
        )
        self._log = log
        self._changed = changed
        self._pace = pace
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._was_ready = False
        self._verdict = ""
        """Why we killed this life of it."""

    async def run(self) -> None:
        """Runs the part until `stop`; a task until it succeeds."""
        delay = self._pace.first_delay
        while not self._stopping:
            began = time.monotonic()
            try:
                reason = await self._live()
            except (PartFailed, OSError) as error:
                reason = str(error)
            self.ready.clear()
            if self._stopping:
                return
            if not reason:
                self._show("done", pid=None)
                self.ready.set()
                return
            self.failures_before_ready += not self._was_ready
            if time.monotonic() - began > self._pace.calm:
                delay = self._pace.first_delay
            self._log.say(f"{self.part.name}: {reason}", level="error", retry_seconds=round(delay, 2))
            self._show("failed", error=reason, pid=None)
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311  # jitter is no secret
            delay = min(2 * delay, self._pace.longest_delay)
            self.record.restarts += 1

    async def stop(self) -> None:
        """Drains the part, ends it by its signal, and kills it when its grace is over."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            self._show("stopping")
            if self._was_ready:
                with contextlib.suppress(Exception):  # a client that stays is no reason to go on
                    await asyncio.wait_for(self.part.drain(), self.part.grace_seconds)
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.part.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), self.part.grace_seconds)
            except TimeoutError:
                self._log.say(
                    f"{self.part.name} did not end within {self.part.grace_seconds:.0f} s and was killed", level="error"
                )
                self._kill(process)
                await process.wait()
        self._show("stopped" if self.record.state != "done" else "done", pid=None, error="")

    def close(self) -> None:
        self._log.close()

    async def _live(self) -> str:
        """One life. Returns why it ended, or nothing when a task succeeded. Raises PartFailed."""
        self._show("starting")
        await self.part.prepare()
        start = launch(self.part.command(), self.part.stop_signal)
        process = await asyncio.create_subprocess_exec(
            *start.pop("args"),
            **start,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._process, self._verdict = process, ""
        born = ProcessId.of(process.pid)
        self.record.birth, self.record.started_at = born.birth if born else "", time.time()
        self._show("starting", pid=process.pid)
        assert process.stdout is not None  # noqa: S101  # asked for above
        following = asyncio.create_task(self._log.follow(process.stdout))
        watching = asyncio.create_task(self._watch(process))
        try:
            code = await process.wait()
        finally:
            watching.cancel()
            self._kill(process)  # what it left behind in its group
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(following, 2)  # a grandchild may hold the pipe
        if self.part.runs_once and code == 0:
            return ""
        return self._verdict or _how_it_ended(code, "" if self._was_ready else self._log.last_line)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Asks how it is for as long as it lives."""
        provisioned, heard = False, time.monotonic()
        while not self.part.runs_once:
            health = Health.NOT_READY
            try:
                health = await self.part.probe()
                if health is Health.READY and not provisioned:
                    health = Health.NOT_READY
                    await self.part.provision()
                    health, provisioned = Health.READY, True
            except Exception as error:  # whatever it is, the watch goes on
                self._log.say(f"{self.part.name} could not be asked or set up: {type(error).__name__}: {error}", level="error")
            if health is not Health.SILENT:
                heard = time.monotonic()
            elif time.monotonic() - heard > self._pace.silence:
                self._verdict = f"answered nothing for {self._pace.silence:.0f} s"
                self._kill(process)
            self._became(health)
            await asyncio.sleep(self._until_next_question())

    def _until_next_question(self) -> float:
        if self.ready.is_set():
            return self._pace.probe_ready
        return self._pace.probe_trouble if time.time() - self.record.started_at > 15 else self._pace.probe_starting

    def _became(self, health: Health) -> None:
        if self._stopping:
            return
        if health is Health.READY:
            if not self.ready.is_set():
                self._was_ready = True
                self.ready.set()
                self._show("ready", error="")
        elif self.ready.is_set():
            self.ready.clear()
            self._show("not ready", error="it answers nothing" if health is Health.SILENT else "it says that it cannot serve")

    def _show(self, state: str, **more: object) -> None:
        before = (self.record.state, self.record.pid, self.record.error)
        self.record.state = state
        for name, value in more.items():
            setattr(self.record, name, value)
        if before != (self.record.state, self.record.pid, self.record.error):
            self._changed()

    @staticmethod
    def _kill(process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _how_it_ended(code: int, last_words: str) -> str:
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return f"{how}: {last_words}" if last_words else how
