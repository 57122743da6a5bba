"""Where exports lie: a bucket of an S3 store, a folder an organization, with links that end."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from adapters.analytics.exports_files import OpenFile, opened
from domain.analytics.exports import LINK_VALID, Export, ExportFormat
from domain.analytics.ports import ReportFile, ReportFiles
from domain.analytics.reports import Row
from domain.shared.errors import Unavailable

T = TypeVar("T")
_CONTENT_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class S3ReportFiles(ReportFiles):
    """`client` is boto3's; its calls block, so each has a thread."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def open(self, format: ExportFormat, row: type[Row]) -> AbstractContextManager[ReportFile]:
        return opened(format, row)

    async def put(self, file: ReportFile, organization: str, export: Export) -> None:
        if not isinstance(file, OpenFile):
            raise TypeError("not a file of this adapter")
        kind = {"ContentType": _CONTENT_TYPES[export.format]}
        await self._call(self._client.upload_file, str(file.path), self._bucket, _key(organization, export), ExtraArgs=kind)

    async def link(self, organization: str, export: Export) -> str:
        wanted = {
            "Bucket": self._bucket,
            "Key": _key(organization, export),
            "ResponseContentDisposition": "attachment",
        }
        return await self._call(
            self._client.generate_presigned_url, "get_object", Params=wanted, ExpiresIn=int(LINK_VALID.total_seconds())
        )

    async def delete(self, organization: str, export: Export) -> None:
        await self._call(self._client.delete_object, Bucket=self._bucket, Key=_key(organization, export))

    async def _call(self, act: Callable[..., T], *args: Any, **options: Any) -> T:
        try:
            return await asyncio.to_thread(act, *args, **options)
        except (BotoCoreError, ClientError, boto3.exceptions.Boto3Error) as error:
            raise Unavailable(f"the object store does not take it: {error}") from error


def _key(organization: str, export: Export) -> str:
    return f"{organization}/{export.object_name}"
