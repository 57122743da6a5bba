"""The client of the object store."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from adapters.shared.resources import MissingSecret, Settings
from domain.shared.errors import Unavailable

T = TypeVar("T")


def s3_client(settings: Settings) -> Any:
    """Returns a client of the store that the settings name; without keys, with those of the machine's role."""
    try:
        keys = {
            "aws_access_key_id": settings.secret("s3_access_key"),
            "aws_secret_access_key": settings.secret("s3_secret_key"),
        }
    except MissingSecret:
        keys = {}
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint or None,
        region_name=settings.s3_region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.s3_endpoint else "virtual"},
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 3, "mode": "standard"},
        ),
        **keys,
    )


async def answered(act: Callable[..., T], *args: Any, **options: Any) -> T:
    """Returns what a call of the client returns; it blocks, so it has a thread. Raises Unavailable."""
    try:
        return await asyncio.to_thread(act, *args, **options)
    except (BotoCoreError, ClientError, boto3.exceptions.Boto3Error, OSError) as error:
        raise Unavailable(f"the object store does not answer: {error}") from error
