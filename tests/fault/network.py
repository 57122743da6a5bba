"""A broken network between a client and a server, both on loopback: a TCP proxy that delays, resets, or swallows everything."""

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_CHUNK = 64 * 1024


class Weather(enum.Enum):
    """What the network is like."""

    FINE = "fine"
    SLOW = "slow"  # every chunk takes `Proxy.delay` seconds longer
    RESET = "reset"  # connections are reset, new ones too
    SILENT = "silent"  # half open: connections stand, new ones are accepted, and nothing ever arrives


class Proxy:
    """Forwards TCP connections to a port on loopback, in a thread of its own, so that a busy event loop does not look like a bad network.

    Connections that live through silence are lost for good, as they are when a router forgets them: only new ones work afterwards.
    """

    def __init__(self, target: int, port: int = 0, delay: float = 0.05) -> None:
        """`delay` is what SLOW adds to each chunk, one way, in seconds."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.delay = delay
        self._weather = Weather.FINE
        self._loop = asyncio.new_event_loop()
        self._connections: set[_Connection] = set()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def weather(self, weather: Weather) -> Iterator[None]:
        """Makes the network so until the end of the block."""
        self._set(weather)
        try:
            yield
        finally:
            self._set(Weather.FINE)

    def _set(self, weather: Weather) -> None:
        asyncio.run_coroutine_threadsafe(self._change(weather), self._loop).result(5)

    async def _change(self, weather: Weather) -> None:
        self._weather = weather
        for each in list(self._connections):
            if weather is Weather.RESET:
                each.reset()
            elif weather is Weather.SILENT:
                each.is_lost = True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, sock=self._listener))
        self._loop.run_forever()
        server.close()
        for each in list(self._connections):
            each.reset()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        # What was aborted closes its socket in the loop's next turns.
        self._loop.run_until_complete(asyncio.sleep(0.05))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer, self._weather is Weather.SILENT)
        self._connections.add(connection)
        try:
            if self._weather is Weather.RESET:
                connection.reset()
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            connection.far = far_writer
            await asyncio.gather(self._pump(connection, reader, far_writer), self._pump(connection, far_reader, writer))
        except (OSError, asyncio.CancelledError):  # cancelled only when the proxy ends
            connection.reset()
        finally:
            self._connections.discard(connection)
            if connection.is_lost:
                connection.reset()

    async def _pump(self, connection: "_Connection", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if self._weather is Weather.SLOW:
                await asyncio.sleep(self.delay)
            if not connection.is_lost:
                writer.write(data)
                await writer.drain()
        if not connection.is_lost:
            writer.close()


class _Connection:
    """A client's connection and ours to the server."""

    def __init__(self, near: asyncio.StreamWriter, is_lost: bool) -> None:
        self.near = near
        self.far: asyncio.StreamWriter | None = None
        self.is_lost = is_lost

    def reset(self) -> None:
        for each in (self.near, self.far):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.transport.abort()
