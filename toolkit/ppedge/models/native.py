"""C sources that make training on a CPU faster: compiled for the processor on first use."""

from __future__ import annotations

import ctypes
import hashlib
import platform
from pathlib import Path

import paddle

from ppedge.cache import cache_root, compiled, say
from ppedge.errors import PpedgeError
from ppedge.trust import UntrustedError


def load(source: Path, *options: str) -> ctypes.CDLL | None:
    """Return a C source as a library compiled for this processor, or None where that cannot be had, which is said.

    Args:
        source: The C file.
        options: Of the compiler, beside ``-O3 -march=native``.

    Raises:
        UntrustedError: Another user may have written the library in the cache, or may write to it.
    """
    # No -ffast-math: the order of additions is the source's, so that a resumed training repeats an uninterrupted one.
    every = ("-O3", "-march=native", *options)
    try:
        return ctypes.CDLL(str(compiled(source, cache_root(), every, "Fast training", depends=_processor())))
    except UntrustedError:
        raise
    except (PpedgeError, OSError) as error:
        say(f"Training goes Paddle's own way, which takes several times as long and rounds otherwise: {error}")
        return None


def _processor() -> str:
    """Return a hash of what the processor can do: a cache folder may be shared by several machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = [platform.processor()]
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(f"{platform.machine()} {features}".encode()).hexdigest()


def pointer(tensor: paddle.Tensor) -> ctypes.c_void_p:
    """Return where the values of a contiguous tensor lie."""
    return ctypes.c_void_p(tensor.data_ptr())
