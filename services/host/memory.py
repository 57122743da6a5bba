"""How this process gives memory back."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of <malloc.h>
_KEPT_BYTES, _MAPPED_FROM_BYTES = 256 << 20, 32 << 20  # glibc allows no more for the second


def keep_freed_memory() -> None:
    """Keeps what was freed, up to 256 MiB, for the next request. Otherwise the kernel takes back, and clears anew, each array of a large
    course: decisions on 10,000 items take a third longer. Where the C library is not glibc, nothing changes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)
