"""Where artifacts lie: a bucket of an S3 store, a folder an organization, each under its digest."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from domain.inference.ports import ArtifactStore
from domain.shared.errors import Unavailable

T = TypeVar("T")


class S3Artifacts(ArtifactStore):
    """`client` is boto3's; its calls block, so each has a thread."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def put(self, organization: str, digest: str, artifact: bytes) -> None:
        await self._call(self._client.put_object, Bucket=self._bucket, Key=_key(organization, digest), Body=artifact)

    async def get(self, organization: str, digest: str) -> bytes:
        return await self._call(self._read, organization, digest)

    def _read(self, organization: str, digest: str) -> bytes:
        with self._client.get_object(Bucket=self._bucket, Key=_key(organization, digest))["Body"] as body:
            artifact: bytes = body.read()
        return artifact

    async def _call(self, act: Callable[..., T], *args: Any, **options: Any) -> T:
        try:
            return await asyncio.to_thread(act, *args, **options)
        except (BotoCoreError, ClientError, OSError) as error:
            raise Unavailable(f"the store of artifacts does not answer: {error}") from error


def _key(organization: str, digest: str) -> str:
    return f"{organization}/{digest}"
