"""What browsers may do from pages of other origins: those of the settings, by the CORS filter, and those of organizations, by a script."""

from pathlib import Path

from edge.settings import Settings

ALLOW_METHODS = "GET, POST, PATCH, DELETE"
ALLOW_HEADERS = "authorization, content-type, x-grpc-web, x-user-agent, grpc-timeout, traceparent, x-request-id"
EXPOSE_HEADERS = "grpc-status, grpc-message, grpc-status-details-bin, retry-after, paideia-limit, x-request-id"
MAX_AGE = "7200"
"""Seconds for which a browser need not ask again."""
ORIGINS_PATH = "/v1/origins:organizations"
SCRIPT = "origins.lua"


def origins_script(settings: Settings) -> str:
    """The script with its constants before it."""
    values = {
        "ALLOW_METHODS": f'"{ALLOW_METHODS}"',
        "ALLOW_HEADERS": f'"{ALLOW_HEADERS}"',
        "EXPOSE_HEADERS": f'"{EXPOSE_HEADERS}"',
        "MAX_AGE": f'"{MAX_AGE}"',
        "KNOWN_SECONDS": settings.origins_seconds,
    }
    constants = "".join(f"local {name} = {value}\n" for name, value in values.items())
    return constants + Path(__file__).with_name(SCRIPT).read_text(encoding="utf-8")
