"""Writes toolkit/ppedge/files/arm_kernels.json: the kernels that Paddle Lite's registered ARM runtime has.

A runtime registers its kernels when it is loaded, and has no call that tells them. So it is loaded under the emulator,
into the guest's Python, which looks for the table in its own memory: a ``std::map`` from an operator's name to a
``std::map`` from (target, precision, layout), as libstdc++ lays it out, that a pointer in the library's own data leads
to. Whatever does not read as such a map to the last node is none.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parents[1] / "toolkit/ppedge/files/arm_kernels.json"
# In bytes, in libstdc++'s map to its root and its count, and in a node to its children and its value.
ROOT, COUNT, LEFT, RIGHT, VALUE = 16, 40, 16, 24, 32
STRING = 32
DEEPEST, LONGEST, FEWEST, MOST = 40, 100, 50, 3000


class Memory:
    """What this process may read of its own memory.

    Args:
        library: A file that it has loaded.
    """

    def __init__(self, library: str) -> None:
        lines = [line.split() for line in Path("/proc/self/maps").read_text(encoding="ascii").splitlines()]
        spans = [(*(int(side, 16) for side in line[0].split("-")), line[1], line[5:] == [library]) for line in lines]
        self.readable = [(begin, end) for begin, end, rights, _ in spans if "r" in rights]
        self.data, last = [], 0
        for begin, end, rights, own in spans:
            if own or begin == last:  # the part without initial values follows the file, and has no name
                last = end
                if "w" in rights:
                    self.data.append((begin, end))

    def has(self, address: int, size: int) -> bool:
        """Whether these bytes can be read."""
        return any(begin <= address and address + size <= end for begin, end in self.readable)

    def number(self, address: int) -> int:
        """Return 8 bytes."""
        return ctypes.c_uint64.from_address(address).value

    def text(self, address: int) -> str | None:
        """Return a ``std::string`` of printable characters; None if there is none."""
        start, size = self.number(address), self.number(address + 8)
        if not 0 < size < LONGEST or not self.has(start, size):
            return None
        found = ctypes.string_at(start, size)
        return found.decode("ascii") if all(32 < byte < 127 for byte in found) else None

    def entries(self, address: int, read: Callable[[int], Any], fewest: int = 1) -> list[Any] | None:
        """Return what ``read`` makes of the values of a ``std::map``, in its order; None if there is no such map."""
        if not self.has(address, COUNT + 8) or not fewest <= self.number(address + COUNT) < MOST:
            return None
        found = list(self._nodes(self.number(address + ROOT), read, 0))
        return found if len(found) == self.number(address + COUNT) and None not in found else None

    def _nodes(self, node: int, read: Callable[[int], Any], depth: int) -> Iterator[Any]:
        if not node:
            return
        if depth > DEEPEST or not self.has(node, VALUE + STRING):
            yield None
            return
        yield from self._nodes(self.number(node + LEFT), read, depth + 1)
        yield read(node + VALUE)
        yield from self._nodes(self.number(node + RIGHT), read, depth + 1)


def registered_kernels(library: str) -> dict[str, list[list[int]]]:
    """Load a runtime and return (target, precision, layout) of its kernels by operator, as Paddle Lite numbers them."""
    ctypes.CDLL(library)
    memory = Memory(library)

    def place(address: int) -> list[int]:  # libstdc++ lays a tuple out from its last element to its first
        return [ctypes.c_int32.from_address(address + offset).value for offset in (8, 4, 0)]

    def operator(address: int) -> tuple[str, list[list[int]]] | None:
        name, places = memory.text(address), memory.entries(address + STRING, place)
        return None if name is None or places is None else (name, places)

    for begin, end in memory.data:
        for address in range(begin, end - 8, 8):
            found = memory.entries(memory.number(address), operator, FEWEST)
            if found is not None:
                return dict(found)
    raise SystemExit(f"{library}: no table of kernels is found in its memory.")


def ask_runtime() -> dict[str, Any]:
    """Return the table of the registered runtime, as the package keeps it."""
    import subprocess

    from ppedge.arm import qemu, sysroot
    from ppedge.arm.lite import registered
    from ppedge.files.nb import kernel_place

    runtime, sandbox = registered(), sysroot.ensure()
    program = [*qemu.guest_python(sandbox), Path(__file__), runtime.folder / runtime.library]
    line = qemu.command(sandbox, "cortex-a53", program)
    told = subprocess.run(line, env=qemu.GUEST_ENVIRONMENT, stdout=subprocess.PIPE, check=True).stdout
    kernels = {
        name: sorted("/".join(kernel_place(*place)) for place in places) for name, places in json.loads(told).items()
    }
    return {"runtime": runtime.version, "sha256": runtime.sha256, "kernels": kernels}


def main() -> None:
    if len(sys.argv) == 2 and not sys.argv[1].startswith("-"):  # in the guest
        print(json.dumps(registered_kernels(sys.argv[1])))
        return
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    table = ask_runtime()
    kernels = ",\n".join(f"  {json.dumps(name)}: {json.dumps(places)}" for name, places in table.pop("kernels").items())
    head = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    TABLE.write_text(f'{{{head}, "kernels": {{\n{kernels}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
