"""What a guest's memory holds, read from the host: user-mode QEMU keeps a guest's pages among its own."""

from __future__ import annotations

import re
from pathlib import Path

# QEMU 7.2 starts an arm64 guest and looks for room for its mappings from 0x5500000000 on; its own libraries, its heap
# and the code it translates to lie far above this address.
_GUEST_END = 1 << 40
_MAPPING = re.compile(r"([0-9a-f]+)-[0-9a-f]+ (\S{4}) ")


def guest_memory(pid: int) -> int:
    """Return the bytes of memory that a guest has written to and still holds: heap, stack, data; not code.

    Args:
        pid: QEMU's process.

    Raises:
        OSError: There is no such process.
    """
    total, counts = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        mapping = _MAPPING.match(line)
        if mapping:
            counts = int(mapping[1], 16) < _GUEST_END and "w" in mapping[2]
        elif counts and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total
