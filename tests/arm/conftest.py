"""The sandbox, built once for the whole suite and kept in the cache folder; guest programs of raw instructions."""

import struct

import pytest

from ppedge.arm import sysroot


@pytest.fixture(scope="session")
def sandbox():
    return sysroot.ensure()


def elf(words):
    """A static arm64 program that executes these instruction words."""
    address, header = 0x400000, 64 + 56
    code = struct.pack(f"<{len(words)}I", *words)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    file = ident + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, address + header, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = header + len(code)
    return file + struct.pack("<IIQQQQQQ", 1, 5, 0, address, address, size, size, 0x1000) + code


@pytest.fixture
def make_program(tmp_path):
    def make(words):
        path = tmp_path / "program"
        path.write_bytes(elf(words))
        path.chmod(0o755)
        return path

    return make
