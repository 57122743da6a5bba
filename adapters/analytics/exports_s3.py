"""Where exports lie: a bucket of an S3 store, a folder an organization, with links that end."""

from contextlib import AbstractContextManager
from typing import Any

from adapters.analytics.exports_files import OpenFile, opened
from adapters.shared.s3 import answered
from domain.analytics.exports import LINK_VALID, Export, ExportFormat
from domain.analytics.ports import ReportFile, ReportFiles
from domain.analytics.reports import Row

_CONTENT_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class S3ReportFiles(ReportFiles):
    """`client` is boto3's."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def open(self, format: ExportFormat, row: type[Row]) -> AbstractContextManager[ReportFile]:
        return opened(format, row)

    async def put(self, file: ReportFile, organization: str, export: Export) -> None:
        if not isinstance(file, OpenFile):
            raise TypeError("not a file of this adapter")
        kind = {"ContentType": _CONTENT_TYPES[export.format]}
        await answered(self._client.upload_file, str(file.path), self._bucket, _key(organization, export), ExtraArgs=kind)

    async def link(self, organization: str, export: Export) -> str:
        wanted = {
            "Bucket": self._bucket,
            "Key": _key(organization, export),
            "ResponseContentDisposition": "attachment",
        }
        return await answered(
            self._client.generate_presigned_url, "get_object", Params=wanted, ExpiresIn=int(LINK_VALID.total_seconds())
        )

    async def delete(self, organization: str, export: Export) -> None:
        await answered(self._client.delete_object, Bucket=self._bucket, Key=_key(organization, export))


def _key(organization: str, export: Export) -> str:
    return f"{organization}/{export.object_name}"
