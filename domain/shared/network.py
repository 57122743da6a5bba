"""Where the call in progress came from, as coarsely as it may be written down: an address would be personal data."""

import ipaddress
from contextvars import ContextVar

current_forwarded_for: ContextVar[str] = ContextVar("current_forwarded_for", default="")
"""The header X-Forwarded-For of the call, whose last address the edge has put there; empty if it had none."""

_BITS = {4: 24, 6: 48}


def network_in(forwarded_for: str) -> str:
    """Returns the network of the last address, such as `192.0.2.0/24`; empty if that is none."""
    try:
        address = ipaddress.ip_address(forwarded_for.rpartition(",")[2].strip())
    except ValueError:
        return ""
    return str(ipaddress.ip_network((address, _BITS[address.version]), strict=False))


def current_network() -> str:
    return network_in(current_forwarded_for.get())
