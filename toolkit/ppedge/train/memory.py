"""Memory that is freed and asked for again with every batch stays with the process."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGEST = 32 << 20  # bytes of a block that glibc lets come from the heap
_KEPT = 1 << 30
_USUAL = 2 * _LARGEST  # where glibc's own rule ends once a program has freed a block of `_LARGEST`


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep up to a GiB of freed memory for what asks next, in this process and those forked meanwhile.

    The C library returns a large block to the system as soon as it is freed, and each page of the next one is a trip
    into the kernel, which clears it: more work than filling a batch. Afterwards what is free is returned. Another C
    library than glibc goes on as it does.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _LARGEST)
    library.mallopt(_TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        library.mallopt(_TRIM_THRESHOLD, _USUAL)
        library.malloc_trim(0)
