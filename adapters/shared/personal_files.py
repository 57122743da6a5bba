"""Where exports of people's data are put together: a folder a job in a private bucket, sealed but for the finished file."""

import hmac
import secrets
from datetime import timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.shared.resources import Settings
from adapters.shared.s3 import answered, s3_client
from domain.shared.errors import Unavailable

LINK_VALID = timedelta(minutes=15)
_NONCE_BYTES = 12
_ARCHIVE = "personal-data.zip"


class S3PersonalFiles:
    """`client` is boto3's. Parts are sealed with AES-256-GCM under a key of the job, which follows from
    `key`, and are bound to their place: the store alone, or one part in the place of another, gives nothing away."""

    def __init__(self, client: Any, bucket: str, key: bytes) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key

    async def put_part(self, organization: str, job_id: str, context: str, content: bytes) -> None:
        """Replaces the one there may be. Raises Unavailable."""
        place, nonce = _part(organization, job_id, context), secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher(job_id).encrypt(nonce, content, place.encode())
        await self._put(place, sealed, "application/octet-stream")

    async def part(self, organization: str, job_id: str, context: str) -> bytes:
        """Raises Unavailable, also for a part that somebody has changed."""
        place = _part(organization, job_id, context)
        answer = await answered(self._client.get_object, Bucket=self._bucket, Key=place)
        sealed = await answered(answer["Body"].read)
        try:
            return self._cipher(job_id).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except InvalidTag as error:
            raise Unavailable(f"the part of {context} cannot be opened") from error

    async def put_archive(self, organization: str, job_id: str, archive: bytes) -> None:
        """Raises Unavailable."""
        await self._put(f"{_folder(organization, job_id)}{_ARCHIVE}", archive, "application/zip")

    async def link(self, organization: str, job_id: str) -> str:
        """Returns an address that is good for LINK_VALID to whoever has it."""
        wanted = {
            "Bucket": self._bucket,
            "Key": f"{_folder(organization, job_id)}{_ARCHIVE}",
            "ResponseContentDisposition": f'attachment; filename="{_ARCHIVE}"',
        }
        seconds = int(LINK_VALID.total_seconds())
        return await answered(self._client.generate_presigned_url, "get_object", Params=wanted, ExpiresIn=seconds)

    async def delete(self, organization: str, job_id: str) -> None:
        """Removes the parts and the archive. Raises Unavailable."""
        await self._delete(_folder(organization, job_id))

    async def delete_parts(self, organization: str, job_id: str) -> None:
        """Raises Unavailable."""
        await self._delete(_part(organization, job_id, ""))

    async def _put(self, key: str, content: bytes, kind: str) -> None:
        await answered(self._client.put_object, Bucket=self._bucket, Key=key, Body=content, ContentType=kind)

    async def _delete(self, prefix: str) -> None:
        found = await answered(self._client.list_objects_v2, Bucket=self._bucket, Prefix=prefix)
        for each in found.get("Contents", ()):
            await answered(self._client.delete_object, Bucket=self._bucket, Key=each["Key"])

    def _cipher(self, job_id: str) -> AESGCM:
        return AESGCM(hmac.digest(self._key, f"paideia personal data {job_id}".encode(), "sha256"))


def personal_files(settings: Settings) -> S3PersonalFiles:
    """Beside the reports' files, under a key that every process of the platform can derive and nobody else."""
    return S3PersonalFiles(s3_client(settings), settings.exports_bucket, settings.secret("mesh_key").encode())


def _folder(organization: str, job_id: str) -> str:
    return f"personal/{organization}/{job_id}/"


def _part(organization: str, job_id: str, context: str) -> str:
    return f"{_folder(organization, job_id)}parts/{context}"
