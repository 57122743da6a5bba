"""Connections of the lake's catalog that notice when the network under them has died.

The catalog's driver waits for an answer for ever: TCP's own limits end a wait only when the other host acknowledges nothing, and a proxy that
swallows what it acknowledges defeats them. psycopg2 lets its waiting be replaced, for all of its connections in the process, which are the
catalog's alone.
"""

import select
from time import monotonic

from psycopg2 import OperationalError
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, set_wait_callback

ANSWER_SECONDS = 10.0
"""To open a connection, and for each statement: the catalog finds rows by key."""

_EVENTS = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}


def bound_waiting(seconds: float = ANSWER_SECONDS) -> None:
    """Has every call of psycopg2 in this process end after some seconds, raising OperationalError and closing its connection."""

    def wait(waiting: connection) -> None:
        deadline = monotonic() + seconds
        while (state := waiting.poll()) != POLL_OK:
            ready = select.poll()
            ready.register(waiting.fileno(), _EVENTS[state])
            if not ready.poll(max(0.0, deadline - monotonic()) * 1_000):
                raise OperationalError(f"no answer within {seconds:g} seconds")

    set_wait_callback(wait)
