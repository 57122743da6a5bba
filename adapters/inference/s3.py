"""Where artifacts lie: a bucket of an S3 store, a folder an organization, each under its digest."""

from typing import Any

from adapters.shared.s3 import answered
from domain.inference.ports import ArtifactStore


class S3Artifacts(ArtifactStore):
    """`client` is boto3's."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def put(self, organization: str, digest: str, artifact: bytes) -> None:
        await answered(self._client.put_object, Bucket=self._bucket, Key=_key(organization, digest), Body=artifact)

    async def get(self, organization: str, digest: str) -> bytes:
        return await answered(self._read, organization, digest)

    def _read(self, organization: str, digest: str) -> bytes:
        with self._client.get_object(Bucket=self._bucket, Key=_key(organization, digest))["Body"] as body:
            artifact: bytes = body.read()
        return artifact


def _key(organization: str, digest: str) -> str:
    return f"{organization}/{digest}"
