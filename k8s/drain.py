"""Before the edge stops: `python k8s/drain.py LEAVE DRAIN` (seconds).

For LEAVE seconds it goes on as before, while load balancers learn that the pod is going. Then it asks every client to come again elsewhere,
and waits until the requests in flight are answered, DRAIN seconds at most.
"""

import re
import sys
import time
import urllib.request

ADMIN = "http://127.0.0.1:9901"
_HEARD_SECONDS = 5.0
"""A client hears it with its next answer: those who ask now and then need a moment."""


def drain(leave: float, finish: float, admin: str = ADMIN, heard: float = _HEARD_SECONDS) -> None:
    time.sleep(leave)
    _post(f"{admin}/drain_listeners?graceful&skip_exit")
    deadline = time.monotonic() + finish
    time.sleep(min(heard, finish))
    while _in_flight(admin) and time.monotonic() < deadline:
        time.sleep(0.2)


def _in_flight(admin: str) -> int:
    with urllib.request.urlopen(f"{admin}/stats?filter=public.downstream_rq_active", timeout=5) as answer:  # noqa: S310  # http, to the pod itself
        return sum(
            int(count) for count in re.findall(rb"^http\.public\.downstream_rq_active: (\d+)", answer.read(), re.MULTILINE)
        )


def _post(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5):  # noqa: S310  # as above
        pass


if __name__ == "__main__":
    drain(float(sys.argv[1]), float(sys.argv[2]))
