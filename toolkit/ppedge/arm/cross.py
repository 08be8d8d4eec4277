"""A C++ compiler for the sandbox's programs: the machine's, or Debian's, fetched for as long as it is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from ppedge.arm import apt

CROSS_COMPILER = "aarch64-linux-gnu-g++"  # the program and, on Debian, the package
_PACKAGES = ("g++-aarch64-linux-gnu", "libc6-dev-arm64-cross")


def cross_compiler(scratch: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command of a compiler for arm64, and its environment: the machine's, or one unpacked into ``scratch``.

    Clang with its own libc++ (``zig c++``) does not do: the library's interface is made of libstdc++'s strings and
    vectors.
    """
    found = shutil.which(CROSS_COMPILER)
    if found is not None:
        return [found], {}
    tree = scratch / "compiler"
    apt.unpack(_PACKAGES, apt.machine_architecture(), tree, scratch / "apt")
    # GCC's own libraries, but not a second libc: that one lies in lib/.
    libraries = ":".join(str(path) for path in tree.glob("usr/lib/*-linux-gnu"))
    return [str(tree / "usr/bin" / CROSS_COMPILER), f"--sysroot={tree}"], {"LD_LIBRARY_PATH": libraries}
