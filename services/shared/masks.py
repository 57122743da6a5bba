"""Update masks (AIP-134)."""

from collections.abc import Set

from google.protobuf.field_mask_pb2 import FieldMask

from domain.shared.errors import InvalidInput


def fields_in(mask: FieldMask, allowed: Set[str], field: str = "update_mask") -> frozenset[str]:
    """Returns the top-level fields to change. `*` means all of `allowed`; raises InvalidInput for none or an unknown one."""
    paths = frozenset(mask.paths)
    if paths == {"*"}:
        return frozenset(allowed)
    if not paths or not paths <= allowed:
        wrong = f"; {', '.join(sorted(paths - allowed))} cannot be changed" if paths else ""
        raise InvalidInput.of(field, f"must name one or more of {', '.join(sorted(allowed))}{wrong}")
    return paths
