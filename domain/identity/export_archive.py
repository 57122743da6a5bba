"""The file of an export: a ZIP with a JSON file a context and a manifest."""

import io
import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from domain.identity.privacy import PrivacyJob


def archive_of(organization: str, job: PrivacyJob, parts: Mapping[str, bytes], now: datetime) -> bytes:
    """Returns the ZIP. Its manifest names every file with its SHA-256, its size and the numbers of its records."""
    counts = {each.context: dict(each.records) for each in job.receipts}
    manifest = {
        "organization": f"organizations/{organization}",
        "user": f"users/{job.user}",
        "privacyJob": f"privacyJobs/{job.id}",
        "requestTime": job.created_at.isoformat(),
        "exportTime": now.isoformat(),
        "files": [
            {
                "name": f"{context}.json",
                "sha256": sha256(part).hexdigest(),
                "bytes": len(part),
                "records": counts.get(context, {}),
            }
            for context, part in sorted(parts.items())
        ],
    }
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, content in (
            ("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False).encode()),
            *((f"{context}.json", part) for context, part in sorted(parts.items())),
        ):
            info = ZipInfo(name, now.timetuple()[:6])
            info.compress_type = ZIP_DEFLATED
            archive.writestr(info, content)
    return file.getvalue()
