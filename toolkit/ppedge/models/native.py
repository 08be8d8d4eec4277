"""C sources that make training on a CPU faster: compiled for the processor on first use."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import paddle

from ppedge.cache import library_for_this_processor


@functools.cache
def library(source: Path, *options: str) -> ctypes.CDLL | None:
    """Return a C source as a library compiled for this processor, or None where that cannot be had, which is said once.

    Args:
        source: The C file.
        options: Of the compiler, beside ``-O3 -march=native``.

    Raises:
        UntrustedError: Another user may have written the library in the cache, or may write to it.
    """
    without = "Training goes Paddle's own way, which takes several times as long and rounds otherwise"
    return library_for_this_processor(source, options, "Fast training", without)


def pointer(tensor: paddle.Tensor) -> ctypes.c_void_p:
    """Return where the values of a contiguous tensor lie."""
    return ctypes.c_void_p(tensor.data_ptr())
