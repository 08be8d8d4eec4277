"""Boxes from a detector's map: `ppedge.ocr.db.boxes_from_map` beside RapidOCR's ``DBPostProcess``.

Both get the same probability maps, which RapidOCR's own PP-OCRv4 detector makes. See README.md for how to install the
peer.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import cv2
import numpy as np
from timing import take_turns

from ppedge.data.scenes import render_scene
from ppedge.ocr.db import boxes_from_map
from ppedge.ocr.image_file import read_image
from ppedge.ocr.spec import DbPostprocess

SPEC = DbPostprocess()


class Result(NamedTuple):
    """One picture: median seconds and numbers of boxes of both, and the largest difference of a corner in pixels."""

    ours: float
    peers: float
    our_boxes: int
    peer_boxes: int
    difference: float


def pictures(files: list[Path], scenes: int) -> Iterator[tuple[str, np.ndarray]]:
    for file in files:
        yield file.name, read_image(file)
    for number in range(0 if files else scenes):
        yield f"scene {number}", render_scene("words", np.random.default_rng((0, number))).image


def largest_difference(ours: np.ndarray, peers: np.ndarray) -> float:
    """Pair each quad of (N, 4, 2) with that of (M, 4, 2) whose centre is nearest; any corner may come first."""
    if not len(ours) or not len(peers):
        return float("nan")
    centres = np.linalg.norm(ours.mean(axis=1)[:, None] - peers.mean(axis=1), axis=2)
    partners = peers[centres.argmin(axis=1)]
    turned = [np.abs(ours - np.roll(partners, turn, axis=1)).max(axis=(1, 2)) for turn in range(4)]
    return float(np.min(turned, axis=0).max())


def compare(detector: Any, peer: Any, image: np.ndarray, rounds: int) -> Result:
    size = image.shape[:2]
    output = detector.infer(detector.get_preprocess(max(size))(image))[0]
    times = take_turns(
        {"ours": lambda: boxes_from_map(output[0, 0], size, SPEC), "peer": lambda: peer(output, size)}, rounds
    )
    boxes = boxes_from_map(output[0, 0], size, SPEC)
    ours = np.array([box.quad for box in boxes], np.float32).reshape(-1, 4, 2)
    peers = np.asarray(peer(output, size)[0], np.float32).reshape(-1, 4, 2)
    return Result(times["ours"], times["peer"], len(ours), len(peers), largest_difference(ours, peers))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", nargs="*", type=Path, help="by default, synthetic scenes")
    parser.add_argument("--scenes", type=int, default=6, help="how many synthetic scenes (6)")
    parser.add_argument("--rounds", type=int, default=30, help="turns that each of the two takes on a picture (30)")
    options = parser.parse_args()

    from rapidocr_onnxruntime import RapidOCR
    from rapidocr_onnxruntime.ch_ppocr_det.utils import DBPostProcess

    cv2.setNumThreads(1)
    detector = RapidOCR(intra_op_num_threads=1).text_det
    peer = DBPostProcess(
        thresh=SPEC.thresh,
        box_thresh=SPEC.box_thresh,
        max_candidates=SPEC.max_candidates,
        unclip_ratio=SPEC.unclip_ratio,
        score_mode=SPEC.score_mode,
        use_dilation=SPEC.dilation,
    )
    print(f"{'picture':24}{'ppedge ms':>11}{'peer ms':>9}{'ratio':>7}{'boxes':>7}{'peer':>6}{'corners differ by':>19}")
    results = []
    for name, image in pictures(options.pictures, options.scenes):
        result = compare(detector, peer, image, options.rounds)
        results.append(result)
        print(
            f"{name[-23:]:24}{result.ours * 1e3:11.2f}{result.peers * 1e3:9.2f}{result.ours / result.peers:7.2f}"
            f"{result.our_boxes:7}{result.peer_boxes:6}{result.difference:16.2f} px"
        )
    ours, peers = median(r.ours for r in results), median(r.peers for r in results)
    print(
        f"{'median; sum; largest':24}{ours * 1e3:11.2f}{peers * 1e3:9.2f}{ours / peers:7.2f}"
        f"{sum(r.our_boxes for r in results):7}{sum(r.peer_boxes for r in results):6}"
        f"{np.nanmax([r.difference for r in results]):16.2f} px"
    )


if __name__ == "__main__":
    main()
