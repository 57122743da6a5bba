"""Artifacts: trained models as bytes. They hold JSON and numbers, never code, so that reading a stranger's artifact runs nothing.

    8 bytes   PAIDEIA1
    4 bytes   length of the header, little-endian
    header    JSON; `tensors` says name, type and shape of each array
    the rest  the arrays in the order of their names, little-endian, row by row, deflated together

The same header and arrays give the same bytes.
"""

import json
import zlib
from collections.abc import Mapping
from hashlib import sha256
from math import prod
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.shared.errors import InvalidInput

Header: TypeAlias = dict[str, Any]
Tensor: TypeAlias = NDArray[Any]

LARGEST: Final = 3_000_000
"""Bytes of an artifact."""
_MAGIC: Final = b"PAIDEIA1"
_LARGEST_HEADER: Final = 1_500_000
_LARGEST_TENSORS: Final = 64 * 1024 * 1024
_TYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "f4": np.dtype("<f4"),
    "f8": np.dtype("<f8"),
    "i4": np.dtype("<i4"),
    "i8": np.dtype("<i8"),
}
_MOST_TENSORS: Final = 64
_MOST_DIMENSIONS: Final = 3


class Artifact(NamedTuple):
    """What an artifact holds."""

    header: Header
    tensors: dict[str, Tensor]

    def packed(self) -> bytes:
        """Returns its bytes. Raises ValueError for a header that JSON cannot hold."""
        kinds = {name: _type_of(each) for name, each in sorted(self.tensors.items())}
        told = {name: {"type": kind, "shape": list(self.tensors[name].shape)} for name, kind in kinds.items()}
        header = json.dumps(self.header | {"tensors": told}, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
        data = b"".join(np.ascontiguousarray(self.tensors[name], _TYPES[kind]).tobytes() for name, kind in kinds.items())
        return _MAGIC + len(header).to_bytes(4, "little") + header + zlib.compress(data, 9)

    @classmethod
    def unpacked(cls, data: bytes) -> "Artifact":
        """Raises InvalidInput naming `artifact` and what is wrong with it."""
        if len(data) > LARGEST:
            raise wrong(f"must have at most {LARGEST:,} bytes")
        if data[:8] != _MAGIC or len(data) < 12:
            raise wrong("must be what `paideia model train` writes: it does not begin as one")
        end = 12 + int.from_bytes(data[8:12], "little")
        if not 12 < end <= min(len(data), _LARGEST_HEADER):
            raise wrong("is cut off or has too long a header")
        header = _header(data[12:end])
        shapes = _shapes(header.pop("tensors", None))
        body = _inflated(data[end:], sum(_TYPES[kind].itemsize * prod(shape) for kind, shape in shapes.values()))
        tensors: dict[str, Tensor] = {}
        at = 0
        for name, (kind, shape) in sorted(shapes.items()):
            count = prod(shape)
            tensors[name] = np.frombuffer(body, _TYPES[kind], count, at).reshape(shape)
            at += _TYPES[kind].itemsize * count
            if kind.startswith("f") and not np.isfinite(tensors[name]).all():
                raise wrong(f"has a number in {name} that is not finite")
        return cls(header, tensors)

    def tensor(self, name: str, *shape: int | None, whole: bool = False) -> Tensor:
        """Returns an array that must have this shape, None standing for any length, and if `whole` be of integers. Raises InvalidInput."""
        found = self.tensors.get(name)
        if (
            found is None
            or found.ndim != len(shape)
            or any(want not in (None, has) for want, has in zip(shape, found.shape, strict=True))
        ):
            form = " x ".join("n" if each is None else str(each) for each in shape)
            raise wrong(f"must have an array {name} of the shape {form}")
        if whole and found.dtype.kind != "i":
            raise wrong(f"must have whole numbers in {name}")
        return found


def digest_of(data: bytes) -> str:
    """Returns the SHA-256 of an artifact, in hexadecimal."""
    return sha256(data).hexdigest()


def wrong(description: str) -> InvalidInput:
    return InvalidInput.of("artifact", description)


def _type_of(tensor: Tensor) -> str:
    kind = f"{tensor.dtype.kind}{tensor.dtype.itemsize}"
    if kind not in _TYPES:
        raise ValueError(f"an artifact does not hold {tensor.dtype}")
    return kind


def _header(data: bytes) -> Header:
    try:
        header = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise wrong("must have a header in JSON") from None
    if not isinstance(header, dict):
        raise wrong("must have a JSON object for its header")
    return header


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _shapes(told: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
    if not isinstance(told, dict) or len(told) > _MOST_TENSORS:
        raise wrong("must say which arrays it has")
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, each in told.items():
        shape = each.get("shape") if isinstance(each, dict) else None
        kind = each.get("type") if isinstance(each, dict) else None
        if not (isinstance(kind, str) and kind in _TYPES and isinstance(shape, list) and len(shape) <= _MOST_DIMENSIONS):
            raise wrong(f"must say type and shape of {name[:100]}")
        if not all(type(length) is int and 0 <= length <= _LARGEST_TENSORS for length in shape):
            raise wrong(f"must have a shape of whole numbers for {name[:100]}")
        shapes[name] = (kind, tuple(shape))
    if sum(8 * prod(shape) for _, shape in shapes.values()) > _LARGEST_TENSORS:
        raise wrong(f"must hold at most {_LARGEST_TENSORS:,} bytes of numbers")
    return shapes


def _inflated(data: bytes, size: int) -> bytes:
    """Inflates no more than is expected, however much it would become."""
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(data, size + 1)
    except zlib.error:
        raise wrong("is damaged") from None
    if len(body) != size or not inflater.eof or inflater.unused_data:
        raise wrong("does not hold as many numbers as it says")
    return body
