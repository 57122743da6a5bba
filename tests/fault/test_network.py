"""The broken network itself: what it does to a plain connection."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.fault.network import Proxy, Weather


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """In front of a server that sends everything back."""
    listener = socket.create_server(("127.0.0.1", 0))

    def echo(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(1_024):
                connection.sendall(data)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with Proxy(listener.getsockname()[1], delay=0.1) as proxy:
        yield proxy
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def connected(proxy: Proxy) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    connection.settimeout(0.5)
    return connection


def said(connection: socket.socket, word: bytes) -> bytes:
    connection.sendall(word)
    return connection.recv(1_024)


def test_a_fine_network_passes_everything_on(proxy: Proxy) -> None:
    with connected(proxy) as connection:
        assert said(connection, b"hello") == b"hello"


def test_a_slow_network_takes_its_time_both_ways(proxy: Proxy) -> None:
    with connected(proxy) as connection, proxy.weather(Weather.SLOW):
        began = time.monotonic()
        assert said(connection, b"hello") == b"hello"
        assert time.monotonic() - began >= 0.2


def test_a_reset_ends_old_connections_and_refuses_new_ones_until_it_is_over(proxy: Proxy) -> None:
    with connected(proxy) as old:
        assert said(old, b"hello") == b"hello"
        with proxy.weather(Weather.RESET):
            with pytest.raises(OSError):  # noqa: PT011  # reset or broken pipe, as it happens
                said(old, b"hello") or old.sendall(b"again") or said(old, b"again")
            with pytest.raises(OSError), connected(proxy) as new:  # noqa: PT011  # in the handshake, or soon after
                said(new, b"hello") or said(new, b"again")
    with connected(proxy) as later:
        assert said(later, b"hello") == b"hello"


def test_what_lives_through_silence_is_lost_and_what_comes_after_is_not(proxy: Proxy) -> None:
    with connected(proxy) as old:
        assert said(old, b"hello") == b"hello"
        with proxy.weather(Weather.SILENT), pytest.raises(TimeoutError):
            said(old, b"anybody there?")
        with pytest.raises(TimeoutError):
            said(old, b"and now?")
    with connected(proxy) as new:
        assert said(new, b"hello") == b"hello"
