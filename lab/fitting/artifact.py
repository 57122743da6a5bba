"""What a fit leaves behind: a document that names its parameters for ever."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]


def artifact(kind: str, model: Mapping[str, Any], statistics: Mapping[str, Any], source: Mapping[str, Any]) -> Document:
    """Returns the document of a fitted model.

    Its `version` is the kind and a digest of kind and model: the same parameters have the same version, whenever and from whatever they
    were fitted. `statistics` and `source` are about the fit and not part of the model.
    """
    content = json.dumps({"kind": kind, "model": model}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    version = f"{kind}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    return {"kind": kind, "version": version, "model": model, "statistics": statistics, "source": source}


def source_of(path: Path) -> Document:
    """Returns what identifies a file: its name and a digest of its bytes."""
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def text_of(document: Document) -> str:
    """Returns the document as JSON text. Raises ValueError for numbers that JSON does not have."""
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def number(value: float, digits: int = 6) -> float | None:
    """Returns the number rounded to significant digits, None for NaN: what a document can hold and a reader can read."""
    return None if value != value else float(f"{value:.{digits}g}")
