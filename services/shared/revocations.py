"""Sessions and tokens that ended before their time: what makes signing out effective in a process that verifies for itself."""

from collections import OrderedDict
from collections.abc import Container
from datetime import datetime

from domain.shared.clock import Clock
from services.shared.tokens import LEEWAY_SECONDS

ACCESS_TOKEN_SECONDS = 600
"""How long identity's access tokens live; a session is forgotten when its last one has expired."""


class RevokedSessions(Container[str]):
    """In memory: some 200 bytes for each session, or single token by its `jti`, that ended in the last ten and a half minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, session: object) -> bool:
        return session in self._until

    def __len__(self) -> int:
        return len(self._until)

    def add(self, session: str, at: datetime) -> None:
        """Refuses the session's tokens from now on. One that ended too long ago for any of its tokens to be good is not kept."""
        now = self._clock().timestamp()
        self._forget(now)
        until = at.timestamp() + ACCESS_TOKEN_SECONDS + LEEWAY_SECONDS
        if session and until > now:
            self._until[session] = until
            self._until.move_to_end(session)

    def _forget(self, now: float) -> None:
        # They come nearly in the order in which they ended: one out of order is forgotten a little later.
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
