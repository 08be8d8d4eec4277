"""What the Android app makes of a bundle on an emulated ARM core, beside what this computer makes of it.

The app's own Java does all of it, see `ppedge.bundle.app_guest`: its self-test compares every stage on the golden
pictures; further pictures are read from beginning to end, and compared with `ppedge ocr` of the same bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ppedge.bundle.app_guest import AppGuest, compile_app
from ppedge.bundle.manifest import read_manifest
from ppedge.bundle.reading import open_bundle
from ppedge.bundle.recognizers import choose
from ppedge.errors import PpedgeError
from ppedge.ocr.image_file import read_image
from ppedge.ocr.pipeline import Line
from ppedge.scratch import scratch
from ppedge.storage import read_json

MAX_SIDE, MAX_PIXELS = 4096, 6_000_000
"""Of a picture that the app reads as it is; it makes larger ones smaller in its own way (``logic/Sampling.java``)."""

_ID = "pc"
_MOST_SHOWN = 20
Say = Callable[[str], None]


@dataclass
class Agreement:
    """How alike two readings of the same pictures are.

    Attributes:
        pictures: That were read.
        lines: That the PC reads.
        same: Of them, those that the app reads at the same place with the same text.
        corner: The largest distance of a corner, in pixels, of lines at the same place.
        score: The largest difference of a text's score, of the lines that are the same.
        different: What differs: ``picture``, ``pc``, ``app`` (texts; None for no line there); the first of them.
    """

    pictures: int = 0
    lines: int = 0
    same: int = 0
    corner: float = 0.0
    score: float = 0.0
    different: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, wanted: Sequence[Line], found: Sequence[Line]) -> None:
        """Count a picture.

        Args:
            name: The picture's.
            wanted: What the PC reads.
            found: What the app reads.
        """
        self.pictures += 1
        self.lines += len(wanted)
        for one, other in pairs(wanted, found):
            if one is not None and other is not None:
                self.corner = max(self.corner, float(np.abs(one.quad - other.quad).max()))
                if one.text == other.text:
                    self.same += 1
                    self.score = max(self.score, abs(one.score - other.score))
                    continue
            if len(self.different) < _MOST_SHOWN:
                texts = {"pc": None if one is None else one.text, "app": None if other is None else other.text}
                self.different.append({"picture": name, **texts})

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, and the ``share`` of the PC's lines that are the same (None without lines)."""
        return {**vars(self), "share": self.same / self.lines if self.lines else None}


def pairs(wanted: Sequence[Line], found: Sequence[Line]) -> Iterator[tuple[Line | None, Line | None]]:
    """Yield the lines of two readings side by side; None where one of them has no line at a place.

    Lines are at the same place if their centres are less than half the lower one's height apart.
    """
    left = list(found)
    for line in wanted:
        near = min(left, key=lambda other: _distance(line, other), default=None)
        if near is not None and _distance(line, near) < min(_height(line), _height(near)) / 2:
            left = [other for other in left if other is not near]
            yield line, near
        else:
            yield line, None
    for line in left:
        yield None, line


def _distance(one: Line, other: Line) -> float:
    return float(np.linalg.norm(one.quad.mean(axis=0) - other.quad.mean(axis=0)))


def _height(line: Line) -> float:
    sides = np.linalg.norm(line.quad - np.roll(line.quad, 1, axis=0), axis=1)
    return float(sides.min())


def run_on_arm(
    bundle: Path,
    app: Path,
    cpu: str = "cortex-a53",
    pictures: Sequence[Path] = (),
    recognizer: str | None = None,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Run the app's self-test of a bundle, and have it read pictures, on an emulated core.

    Args:
        bundle: The bundle, checked.
        app: The Android project's folder.
        cpu: QEMU's name of a core.
        pictures: Files that the app and the PC read: the PC by the bundle's ONNX twins, or without them by the ``.nb``
            files on the same runtime from Python. Both get the same pixels, decoded here.
        recognizer: The name of the one that reads them, of a bundle with several; by default the first. The self-test
            is of all.
        say: Told what is being done.

    Returns:
        ``cpu``, ``app`` (its version), ``runtime``, ``models`` (by task), of several recognisers ``recognizers`` (by
        name), ``passed`` and ``checks`` as the app's report has them, ``memory`` (bytes that the process held at most,
        between two pictures) and ``pictures``: what `Agreement.to_dict` gives, ``engine``, the PC's, and of several
        recognisers ``recognizer``, the one that read them; None if none were asked for.

    Raises:
        MissingError: No runtime is registered, there is no JDK, or the JVM or the compiler cannot be had.
        PpedgeError: The bundle has no golden pictures, the app failed or died, or a picture cannot be read.
    """
    value = read_manifest(bundle)
    name = choose(value, recognizer, bundle)["name"]
    if not value["golden"]:
        raise PpedgeError(
            f"{bundle}: has no golden pictures, with which the app's self-test would compare.",
            "Build the bundle again, without --golden 0.",
        )
    with scratch("app") as work, ExitStack() as stack:
        pipeline = open_bundle(stack, bundle, recognizer=recognizer) if pictures else None
        classes, assets, storage = work / "classes", work / "assets", work / "storage"
        say("compiling the app's Java")
        compile_app(app, classes)
        assets.mkdir()
        (assets / "bundle").symlink_to(bundle.resolve())
        guest = stack.enter_context(AppGuest(app, classes, assets, storage, cpu, say))
        say(f"running the app's self-test on {cpu}")
        _done(guest.ask("self_test", extras={"run": _ID, "threads": 1, "power_mode": "no_bind"}))
        report = read_json(storage / "external" / f"self_test-{_ID}.json")
        memory = guest.memory()
        agreement = Agreement()
        for path in pictures:
            say(f"reading {path.name} on {cpu}")
            image = _pixels(path)
            _write(work / "picture.png", image)
            found = _done(guest.ask("read", picture=str(work / "picture.png"), recognizer=name))["lines"]
            memory = max(memory, guest.memory())
            assert pipeline is not None
            agreement.add(str(path), pipeline(image), [_line(line) for line in found])
    keys = ("runtime", "models", "recognizers", "passed", "checks")
    told = {key: report[key] for key in keys if key in report}
    read = None
    if pipeline is not None:
        read = {**agreement.to_dict(), "engine": pipeline.detector.engine.name}
        read |= {"recognizer": name} if name else {}
    return {"cpu": cpu, "app": report["device"]["app"], **told, "memory": memory, "pictures": read}


def _done(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["state"] != "DONE":
        raise PpedgeError(f"The app failed: {answer['problem']}: {answer['detail']}")
    return answer


def _pixels(path: Path) -> np.ndarray:
    image = read_image(path)
    height, width = image.shape[:2]
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise PpedgeError(
            f"{path}: {width}x{height} pixels; the app makes so large a picture smaller before it reads it.",
            f"Name pictures of at most {MAX_PIXELS / 1e6:.0f} megapixels and {MAX_SIDE} pixels a side.",
        )
    return image


def _write(path: Path, image: np.ndarray) -> None:
    _, data = cv2.imencode(".png", image)
    path.write_bytes(data.tobytes())


def _line(told: dict[str, Any]) -> Line:
    quad = np.array(told["quad"], np.float32).reshape(4, 2)
    return Line(told["text"], told["score"], quad, told["box_score"], told["turned"])


def worst_checks(checks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each stage, and each of several recognisers, the check of the largest difference over all pictures."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for check in checks:
        what = check["stage"], check.get("recognizer", "")
        before = found.get(what)
        if before is None or _size(check) > _size(before):
            found[what] = check
    return list(found.values())


def _size(check: dict[str, Any]) -> float:
    # What is infinite or no number, JSON cannot say.
    return float("inf") if check["difference"] is None else float(check["difference"])
