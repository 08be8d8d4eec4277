"""ppedge: PP-OCR style models, trained, slimmed, converted and proven for ARM phones."""

import sys
import zlib  # Before Paddle, whoever imports that: `_zlib_calls_paddle` says why.
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppedge.reader import Reader as Reader
    from ppedge.reader import open_bundle as open_bundle

__version__ = "0.2.0"
_OF_READER = ("Reader", "open_bundle")


def _zlib_calls_paddle() -> bool:
    """Whether Python's zlib is bound to the zlib inside Paddle, on which it crashes.

    Paddle's library exports the functions of an older zlib that is built into it, and needs the system's libz besides.
    If libz enters the process with Paddle's library, the linker takes Paddle's functions for those that libz calls of
    its own, and the two lay a stream's state out differently. A libz that is there before Paddle calls its own.
    """
    import ctypes

    class Library(ctypes.Structure):
        _fields_ = (("address", ctypes.c_void_p), ("name", ctypes.c_char_p))

    loaded: list[str] = []  # in the order in which they entered the process

    def note(library: Any, size: int, data: int | None) -> int:
        loaded.append(library.contents.name.decode(errors="surrogateescape"))
        return 0

    def inflate_of(path: str | None) -> int | None:
        function = getattr(ctypes.CDLL(path), "inflate", None)
        return ctypes.cast(function, ctypes.c_void_p).value if function else None

    visitor = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Library), ctypes.c_size_t, ctypes.c_void_p)
    ctypes.CDLL(None).dl_iterate_phdr(visitor(note), None)
    libz = next((path for path in loaded if "/libz.so" in path), None)
    paddle = next((path for path in loaded if path.endswith("/libpaddle.so")), None)
    if libz is None or paddle is None or loaded.index(libz) < loaded.index(paddle):
        return False
    # A Python may have a zlib of its own built in, and a Paddle may export none.
    return inflate_of(getattr(zlib, "__file__", None)) == inflate_of(libz) != inflate_of(paddle)


if sys.platform == "linux" and "paddle" in sys.modules and _zlib_calls_paddle():
    raise ImportError(
        "paddle was imported first, and Python's zlib, which ppedge needs, crashes on the zlib inside Paddle. "
        "Start Python anew, and import ppedge (or zlib) before paddle."
    )


def __getattr__(name: str) -> Any:
    """Import what Python programs use when they use it: the command line wants to start at once."""
    if name in _OF_READER:
        from ppedge import reader

        return getattr(reader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
