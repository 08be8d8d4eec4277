"""The input of training, from label files to batches, beside PaddleOCR's on the same pictures.

A row is one piece of work: DB targets, reading labels, whole samples of a detector and of a recogniser, and some epochs
of batches that two processes prepare. Contenders take turns; for samples and batches each has a process of its own, so
that neither finds memory as the other has left it. Compared is processor time, that of worker processes included. See
README.md for how to get the peer.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import multiprocessing
import os
import random
import resource
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import cv2
import numpy as np
from timing import take_turns

from ppedge.data import dataset
from ppedge.data.collate import collate_det, collate_rec
from ppedge.data.dataset import Dataset, DetDataset, RecDataset
from ppedge.data.formats import detection_line, read_labels, write_lines
from ppedge.data.synth import generate
from ppedge.data.targets import det_targets
from ppedge.ocr.charset import Charset
from ppedge.ocr.spec import DetPreprocess, RecPreprocess
from ppedge.recipe.train import DetAugment, RecAugment
from ppedge.train.loader import load
from ppedge.train.memory import freed_memory_kept

SIDE = 640
COLUMNS, ROWS = 6, 10  # a box in each cell
MAPS = ("shrink_map", "shrink_mask", "threshold_map", "threshold_mask")
HEIGHT, WIDTH, LONGEST = 48, 320, 25  # of PP-OCRv3's recognisers
NAMES = {"det": "detector", "rec": "recogniser"}
SAMPLES = {"det": 16, "rec": 256}  # that a turn takes
BATCH = {"det": 4, "rec": 64}
WORKERS = 2
HELD_BYTES = dataset._LINES_BYTES
EPOCHS = {"det": 3, "rec": 8}  # of batches, that a turn takes
CHANGES = {"tia": 0.4, "crop": 0.4, "blur": 0.4, "noise": 0.4, "color": 0.4, "reverse": 0.4}
"""The probabilities of PaddleOCR's RecAug, whose two changes of colour are one here."""

Call = Callable[[], Any]


class Data(NamedTuple):
    """A label file: its root, its name there, and the file of the characters that its texts are read by."""

    root: Path
    labels: Path
    characters: Path


def clock() -> float:
    """Return seconds of processor time, that of children that have ended included."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Contender:
    """One who takes turns in a process of its own.

    Args:
        prepare: Called there; returns what a turn is.
    """

    def __init__(self, prepare: Callable[[], Call]) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=self._take_turns, args=(prepare, theirs))
        self._process.start()

    def turn(self) -> float:
        """Return the seconds of processor time that a turn took."""
        self._pipe.send(True)
        seconds: float = self._pipe.recv()
        return seconds

    def end(self) -> None:
        """Wait until its process has ended."""
        self._pipe.send(False)
        self._process.join()

    @staticmethod
    def _take_turns(prepare: Callable[[], Call], pipe: Connection) -> None:
        call = prepare()
        while pipe.recv():
            start = clock()
            call()
            pipe.send(clock() - start)


def contest(ours: Callable[[], Call], peer: Callable[[], Call], rounds: int) -> dict[str, float]:
    """Return the median seconds of each contender's turns, after one that does not count."""
    contenders = {"ours": Contender(ours), "peer": Contender(peer)}
    taken = [{name: one.turn() for name, one in contenders.items()} for _ in range(rounds + 1)]
    for one in contenders.values():
        one.end()
    return {name: median(turn[name] for turn in taken[1:]) for name in contenders}


def show(what: str, times: dict[str, float], each: int = 1) -> None:
    ours, peers = (times[name] * 1e3 / each for name in ("ours", "peer"))
    print(f"{what:58}{ours:10.2f}{peers:12.2f}{ours / peers:8.2f}", flush=True)


def compare_targets(imaug: Any, pictures: int, rounds: int) -> None:
    shrink, border = imaug.MakeShrinkMap(), imaug.MakeBorderMap()
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

        for name, seconds in take_turns({"ours": ours, "peer": peer}, rounds, clock).items():
            times[name].append(seconds)
        a, b = ours(), peer()
        for name in MAPS:
            differing[name].append(float((np.abs(a[name] - b[name]) > 0.05).mean()))
    show(f"DB targets, {COLUMNS * ROWS} boxes in {SIDE} x {SIDE}", {name: median(all) for name, all in times.items()})
    shares = (f"{name} {100 * np.mean(shares):.2f} %" for name, shares in differing.items())
    print(f"    pixels that differ by more than 0.05: {', '.join(shares)}")


def regions(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw turned rectangles of a text line's shape: float32 (60, 4, 2); and which of them, a tenth, are ignored."""
    cell = np.array([SIDE / COLUMNS, SIDE / ROWS])
    quads = []
    for number in range(COLUMNS * ROWS):
        centre = (np.array(divmod(number, ROWS)) + rng.uniform(0.4, 0.6, 2)) * cell
        size = rng.uniform((40, 10), (90, 40))
        quads.append(cv2.boxPoints((centre.tolist(), size.tolist(), float(rng.uniform(-20, 20)))))
    return np.clip(np.array(quads, np.float32), 0, SIDE - 1), rng.random(len(quads)) < 0.1


def compare_labels(imaug: Any, root: Path, lines: int, rounds: int) -> None:
    encode = imaug.DetLabelEncode()
    labels = root / "boxes.txt"
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

    times = take_turns({"ours": ours, "peer": peer}, rounds, clock)
    show(f"reading a label line with {COLUMNS * ROWS} boxes", times, lines)
    same = all(np.array_equal(a.polygons, b["polys"]) for a, b in zip(ours(), peer(), strict=True))
    print(f"    the polygons are {'equal' if same else 'NOT equal'}")


def our_data(task: str, data: Data, augment: bool, held: bool) -> Dataset:
    """Return ppedge's data set.

    Args:
        task: ``det`` or ``rec``.
        data: The labels.
        augment: Change samples at random.
        held: Keep decoded lines; otherwise each picture is decoded whenever it is drawn, as in data too large for that.
    """
    dataset._CACHE_BYTES = 0
    dataset._LINES_BYTES = HELD_BYTES if held else 0
    if task == "det":
        samples = read_labels(data.labels, data.root, "detection").samples
        return DetDataset(samples, DetPreprocess(), DetAugment(crop=SIDE, color=0.0), seed=0)
    samples = read_labels(data.labels, data.root, "recognition").samples
    changes = RecAugment(perspective=0.0, concat=0.5, **CHANGES) if augment else None
    charset = Charset.from_name_or_file(data.characters, as_is=True)
    return RecDataset(samples, RecPreprocess(HEIGHT, WIDTH, WIDTH), changes, charset, LONGEST, seed=0)


def transforms_of(task: str, data: Data, augment: bool) -> list[dict[str, Any]]:
    """Return what configurations of PP-OCRv3 name."""
    decode = {"DecodeImage": {"img_mode": "BGR", "channel_first": False}}
    if task == "det":
        norm = {"scale": "1./255.", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "order": "hwc"}
        return [
            decode,
            {"DetLabelEncode": None},
            {"IaaAugment": None},
            {"EastRandomCropData": {"size": [SIDE, SIDE], "max_tries": 50, "keep_ratio": True}},
            {"MakeBorderMap": None},
            {"MakeShrinkMap": None},
            {"NormalizeImage": norm},
            {"ToCHWImage": None},
            {"KeepKeys": {"keep_keys": ["image", *MAPS]}},
        ]
    encode = {"max_text_length": LONGEST, "character_dict_path": str(data.characters)}
    joining = {"prob": 0.5, "ext_data_num": 2, "image_shape": [HEIGHT, WIDTH, 3], "max_text_length": LONGEST}
    return [
        decode,
        *([{"RecConAug": joining}, {"RecAug": None}] if augment else []),
        {"CTCLabelEncode": encode},
        {"RecResizeImg": {"image_shape": [3, HEIGHT, WIDTH]}},
        {"KeepKeys": {"keep_keys": ["image", "label", "length", "valid_ratio"]}},
    ]


def peers_loader(task: str, data: Data, augment: bool, workers: int) -> Any:
    """Return the peer's loader; its ``dataset`` gives samples."""
    import paddle
    from ppocr.data import build_dataloader

    named = {
        "name": "SimpleDataSet",
        "data_dir": str(data.root),
        "label_file_list": [str(data.root / data.labels)],
        "transforms": transforms_of(task, data, augment),
        "ext_op_transform_idx": 1,  # the lines that RecConAug sets behind another are decoded, and no more
    }
    loading = {"shuffle": False, "drop_last": False, "batch_size_per_card": BATCH[task], "num_workers": workers}
    config = {"Global": {}, "Train": {"dataset": named, "loader": loading}}
    log = logging.getLogger("peer")
    return build_dataloader(config, "Train", paddle.CPUPlace(), log, seed=0)


def compare_samples(task: str, data: Data, rounds: int, augment: bool, held: bool) -> None:
    def ours() -> Call:
        ours, epochs = our_data(task, data, augment, held), itertools.count()
        freed_memory_kept().__enter__()  # as a worker has it

        def turn() -> None:
            epoch = next(epochs)
            for index in range(min(SAMPLES[task], len(ours))):
                ours[(epoch, index)]

        return turn

    def peer() -> Call:
        peers, seeds = peers_loader(task, data, augment, 0).dataset, itertools.count()

        def turn() -> None:
            seed = next(seeds)
            random.seed(seed)
            np.random.seed(seed)
            for index in range(min(SAMPLES[task], len(peers))):
                peers[index]

        return turn

    times = contest(ours, peer, rounds)
    show(f"{NAMES[task]}: a sample, {how(augment, held)}", times, min(SAMPLES[task], lines_of(data)))
    if not augment:
        both = our_data(task, data, augment, held), peers_loader(task, data, augment, 0).dataset
        differing = largest_difference(*both)
        print(f"    largest difference of a picture's values, which reach from -1 to 1: {differing:.3g}")


def largest_difference(ours: Dataset, peers: Any) -> float:
    by_name = {line.decode().split("\t")[0]: number for number, line in enumerate(peers.data_lines)}
    found = 0.0
    for index, sample in enumerate(ours.samples[:64]):
        name = next(name for name in by_name if str(sample.image).endswith(name))
        found = max(found, float(np.abs(ours[(0, index)]["image"] - peers[by_name[name]][0]).max()))
    return found


def compare_batches(task: str, data: Data, rounds: int, augment: bool, held: bool) -> None:
    """Let each contender load some epochs as its training does: ppedge's workers stay, PaddleOCR starts new ones."""

    def ours() -> Call:
        ours = our_data(task, data, augment, held)
        batches = [
            [(epoch, index % len(ours)) for index in range(first, first + BATCH[task])]
            for epoch in range(EPOCHS[task])
            for first in range(0, lines_of(data), BATCH[task])
        ]
        collate = collate_det if task == "det" else collate_rec
        return lambda: sum(1 for _ in load(ours, batches, collate, WORKERS))

    def peer() -> Call:
        peers = peers_loader(task, data, augment, WORKERS)
        return lambda: sum(1 for _ in range(EPOCHS[task]) for _ in peers)

    times = contest(ours, peer, rounds)
    what = f"{NAMES[task]}: batches of {BATCH[task]}, {how(augment, held)}"
    show(what, times, EPOCHS[task] * lines_of(data))


def how(augment: bool, held: bool) -> str:
    return ("augmented" if augment else "as it is") + (", lines held" if held else "")


def lines_of(data: Data) -> int:
    return len((data.root / data.labels).read_bytes().splitlines())


def synthetic(folder: Path) -> dict[str, Data]:
    """Make pictures of signs and pages, and lines of printed text."""
    generate("scenes", folder / "det", 64, 0, 0)
    generate("words", folder / "rec", 1024, 0, 0)
    (folder / "ascii.txt").write_text("".join(f"{chr(code)}\n" for code in range(32, 127)), encoding="utf-8")
    return {task: Data(folder / task, Path("train.txt"), folder / "ascii.txt") for task in ("det", "rec")}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--paddleocr", type=Path, required=True, help="the folder in which the peer's ppocr/ lies")
    pictures = "pictures of one's own instead of synthetic ones: their folder and a label file below it"
    parser.add_argument("--det", type=Path, nargs=2, metavar=("ROOT", "LABELS"), help=pictures)
    parser.add_argument("--rec", type=Path, nargs=2, metavar=("ROOT", "LABELS"), help="likewise, of lines")
    parser.add_argument("--only", choices=("targets", "labels", "det", "rec"), help="these rows alone")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each of the two takes (5)")
    options = parser.parse_args()
    if not (options.paddleocr / "ppocr/data/imaug").is_dir():
        parser.error(f"{options.paddleocr}: no ppocr/data/imaug in it")
    # Packages that only the peer needs lie beside it; the environment's own come first.
    sys.path += [str(options.paddleocr), str(options.paddleocr.parent)]
    from ppocr.data import imaug

    cv2.setNumThreads(1)
    print(f"{'milliseconds of processor time':58}{'ppedge':>10}{'PaddleOCR':>12}{'ratio':>8}")
    only = options.only
    with tempfile.TemporaryDirectory() as name:
        data = synthetic(Path(name))
        for task in ("det", "rec"):
            if own := getattr(options, task):
                keys = options.paddleocr / "ppocr/utils/ppocr_keys_v1.txt"
                data[task] = Data(own[0], own[1], keys)
        if only in (None, "targets"):
            compare_targets(imaug, 8, options.rounds)
        if only in (None, "labels"):
            compare_labels(imaug, Path(name), 100, options.rounds)
        kinds = (("det", True, False), ("rec", False, False), ("rec", False, True), ("rec", True, False))
        for task, augment, held in (*kinds, ("rec", True, True)):
            if only in (None, task):
                compare_samples(task, data[task], options.rounds, augment, held)
                compare_batches(task, data[task], options.rounds, augment, held)


if __name__ == "__main__":
    main()
