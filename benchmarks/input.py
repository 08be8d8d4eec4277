"""A detector's training data: DB targets and label reading, beside PaddleOCR's operators.

`ppedge.data.targets.det_targets` against ``MakeShrinkMap`` and ``MakeBorderMap``, `ppedge.data.formats.read_labels`
against ``DetLabelEncode``. See README.md for how to get the peer.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from timing import take_turns

from ppedge.data.formats import detection_line, read_labels, write_lines
from ppedge.data.targets import det_targets

SIDE = 640
COLUMNS, ROWS = 6, 10  # a box in each cell
MAPS = ("shrink_map", "shrink_mask", "threshold_map", "threshold_mask")


def regions(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw turned rectangles of a text line's shape: float32 (60, 4, 2); and which of them, a tenth, are ignored."""
    cell = np.array([SIDE / COLUMNS, SIDE / ROWS])
    quads = []
    for number in range(COLUMNS * ROWS):
        centre = (np.array(divmod(number, ROWS)) + rng.uniform(0.4, 0.6, 2)) * cell
        size = rng.uniform((40, 10), (90, 40))
        quads.append(cv2.boxPoints((centre.tolist(), size.tolist(), float(rng.uniform(-20, 20)))))
    return np.clip(np.array(quads, np.float32), 0, SIDE - 1), rng.random(len(quads)) < 0.1


def load(folder: Path, module: str) -> Any:
    """Import one of the peer's files without its package, which would need all of PaddleOCR's dependencies."""
    path = folder / "ppocr/data/imaug" / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"peer_{module}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def load_label_ops(folder: Path) -> Any:
    """Import the peer's label operators; of what they import in turn, reading a detector's labels uses nothing."""
    logger, order = ModuleType("ppocr.utils.logging"), ModuleType("ppocr.data.imaug.vqa.augment")
    vars(logger)["get_logger"] = logging.getLogger
    vars(order)["order_by_tbyx"] = sorted
    for stand_in in (logger, order):
        sys.modules[stand_in.__name__] = stand_in
    return load(folder, "label_ops")


def compare_targets(folder: Path, pictures: int, rounds: int) -> None:
    shrink, border = load(folder, "make_shrink_map").MakeShrinkMap(), load(folder, "make_border_map").MakeBorderMap()
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    differing: dict[str, list[float]] = {name: [] for name in MAPS}
    for number in range(pictures):
        quads, ignore = regions(np.random.default_rng((1, number)))

        def ours(quads: np.ndarray = quads, ignore: np.ndarray = ignore) -> dict[str, np.ndarray]:
            return det_targets(list(quads), ignore.tolist(), (SIDE, SIDE))

        def peer(quads: np.ndarray = quads, ignore: np.ndarray = ignore) -> dict[str, np.ndarray]:
            # The peer writes into what it is given.
            return border(shrink({"image": image, "polys": quads.copy(), "ignore_tags": ignore.copy()}))

        for name, seconds in take_turns({"ours": ours, "peer": peer}, rounds).items():
            times[name].append(seconds)
        a, b = ours(), peer()
        for name in MAPS:
            differing[name].append(float((np.abs(a[name] - b[name]) > 0.05).mean()))
    show(f"targets of {SIDE}x{SIDE} with {COLUMNS * ROWS} boxes", median(times["ours"]), median(times["peer"]))
    for name, shares in differing.items():
        print(f"  {name}: {100 * np.mean(shares):.2f} % of the pixels differ by more than 0.05")


def compare_labels(folder: Path, lines: int, rounds: int) -> None:
    encode = load_label_ops(folder).DetLabelEncode()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        labels = root / "train.txt"
        for number in range(lines):
            (root / f"{number}.jpg").touch()
        drawn = [regions(np.random.default_rng((2, number)))[0] for number in range(lines)]
        write_lines(
            labels, (detection_line(f"{n}.jpg", quads, [f"word {n}"] * len(quads)) for n, quads in enumerate(drawn))
        )

        def peer() -> list[dict[str, Any]]:
            """Do what the peer's data set does with a line before it opens the picture."""
            samples = []
            for line in labels.read_bytes().splitlines():
                image, label = line.decode("utf-8").strip("\n").split("\t")
                if os.path.exists(os.path.join(root, image)):  # noqa: PTH110, PTH118
                    samples.append(encode({"label": label}))
            return samples

        def ours() -> list[Any]:
            return read_labels(labels, root, "detection").samples

        times = take_turns({"ours": ours, "peer": peer}, rounds)
        same = all(np.array_equal(a.polygons, b["polys"]) for a, b in zip(ours(), peer(), strict=True))
    show(f"reading {lines} label lines with {COLUMNS * ROWS} boxes each", times["ours"], times["peer"])
    print(f"  the polygons are {'equal' if same else 'NOT equal'}")


def show(what: str, ours: float, peers: float) -> None:
    print(f"{what}: ppedge {ours * 1e3:.2f} ms, PaddleOCR {peers * 1e3:.2f} ms, ratio {ours / peers:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--paddleocr", type=Path, required=True, help="the folder in which the peer's ppocr/ lies")
    parser.add_argument("--pictures", type=int, default=8, help="how many sets of boxes (8)")
    parser.add_argument("--lines", type=int, default=100, help="lines of the label file (100)")
    parser.add_argument("--rounds", type=int, default=10, help="turns that each of the two takes (10)")
    options = parser.parse_args()
    if not (options.paddleocr / "ppocr/data/imaug").is_dir():
        parser.error(f"{options.paddleocr}: no ppocr/data/imaug in it")
    cv2.setNumThreads(1)
    compare_targets(options.paddleocr, options.pictures, options.rounds)
    compare_labels(options.paddleocr, options.lines, options.rounds)


if __name__ == "__main__":
    main()
