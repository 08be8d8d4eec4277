"""Reading pictures from a Python program: what ``import ppedge; ppedge.open_bundle(...)`` gives."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ppedge.bundle.reading import open_bundle as open_networks
from ppedge.errors import PpedgeError
from ppedge.ocr.alone import Reading, reading
from ppedge.ocr.image_file import read_image
from ppedge.ocr.pipeline import Line


class Reader:
    """The networks of a bundle, open: finds lines of text in pictures and reads them.

    It is a context manager; without ``with``, `close` it. One thread at a time may use it.

    Args:
        bundle: The folder, as `ppedge bundle` makes it.
        engine: ``onnxruntime``, or ``arm-paddlelite`` for what a phone computes, under emulation; by default
            onnxruntime if the ONNX twins are in the bundle.
        threads: For one operator, of onnxruntime; by default as many as there are cores.
        recognizer: The name of the recogniser that reads, of a bundle with several; by default the first.

    Raises:
        PpedgeError: The folder is no bundle, it has no such recogniser, a file of it has changed since it was made, or
            the engine cannot run it.
        MissingError: Nothing on this machine can run what is in the bundle.
    """

    def __init__(
        self,
        bundle: str | Path,
        *,
        engine: str | None = None,
        threads: int | None = None,
        recognizer: str | None = None,
    ) -> None:
        with ExitStack() as stack:
            self._pipeline = open_networks(stack, Path(bundle), engine, threads, recognizer)
            self._opened = stack.pop_all()

    def read(self, picture: str | Path | np.ndarray) -> list[Line]:
        """Return the lines of a picture in reading order.

        Args:
            picture: A file, turned as its EXIF data says, or an array (H, W, 3), uint8, BGR as OpenCV reads it.

        Returns:
            For each line ``text``; ``score``, the mean probability of its characters, 0 to 1; ``quad`` (4, 2), float32,
            pixels of the picture, clockwise from top-left; ``box_score``, the detector's; ``turned``.

        Raises:
            PpedgeError: The file is no picture that can be read, the array is none, or a network cannot run on it.
        """
        return self._pipeline(_picture(picture))

    def read_line(self, picture: str | Path | np.ndarray) -> Reading:
        """Return what a picture says that is one line of text, cut out already: the detector is left out.

        Args:
            picture: As in `read`.

        Returns:
            ``text``, ``score`` and ``turned``, as in `read`.

        Raises:
            PpedgeError: See `read`.
        """
        return reading(self._pipeline.recognizer, self._pipeline.classifier, _picture(picture))

    def close(self) -> None:
        """Let the networks go; the reader cannot read afterwards."""
        self._opened.close()

    def __enter__(self) -> Reader:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


def open_bundle(
    bundle: str | Path, *, engine: str | None = None, threads: int | None = None, recognizer: str | None = None
) -> Reader:
    """Open a bundle to read pictures with; see `Reader`."""
    return Reader(bundle, engine=engine, threads=threads, recognizer=recognizer)


def _picture(given: Any) -> np.ndarray:
    if not isinstance(given, np.ndarray):
        return read_image(Path(given))
    if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3 or 0 in given.shape:
        raise PpedgeError(
            f"an array of shape {given.shape} and type {given.dtype} is no picture.",
            "Give (H, W, 3), uint8, BGR, as cv2.imread returns it.",
        )
    return given
