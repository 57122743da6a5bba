"""How the tools of a stack talk to its contexts: as the workload `stack`."""

from pathlib import Path
from typing import Any

import grpc

from stack.certificates import MESH_DOMAIN


def mesh_channel(kind: Any, target: str, certificates: Path | None, context: str) -> Any:
    """Opens a channel to a context; `kind` is `grpc` or `grpc.aio`. Without certificates it is plain. Raises OSError when they are gone."""
    if certificates is None:
        return kind.insecure_channel(target)
    authorities, key, chain = ((certificates / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
    credentials = grpc.ssl_channel_credentials(authorities, key, chain)
    return kind.secure_channel(target, credentials, options=(("grpc.ssl_target_name_override", f"{context}.{MESH_DOMAIN}"),))
