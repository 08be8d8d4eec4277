"""What ppedge.ocr and OpenCV compute for random input, for the Java tests: ``python tests/android/oracle.py DIR``.

One file a subject: the number of cases, then the cases; all numbers highest byte first, as Java's DataInputStream reads
them.
"""

import struct
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ppedge.ocr.charset import Charset
from ppedge.ocr.ctc import decode
from ppedge.ocr.db import GROWN_SIDE, boxes_from_map
from ppedge.ocr.geometry import crop_quad, order_quad, reading_order
from ppedge.ocr.image_file import on_white, read_image
from ppedge.ocr.preprocess import det_size
from ppedge.ocr.spec import DbPostprocess, DetPreprocess

MASKS = 200
# As dictionaries of others are: with entries of several characters, of none, with a blank at the end, and twice.
CHARACTERS = (*"0123456789ABCéß车牌\U00020bb7", "ฤๅ", "", "p\t", "A")


def ints(*values):
    return struct.pack(f">{len(values)}i", *values)


def floats(array):
    return np.asarray(array, ">f4").tobytes()


def doubles(*values):
    return struct.pack(f">{len(values)}d", *values)


def picture(rng, height, width):
    """Noise, or the smooth and sharp edges of a photograph."""
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    if rng.random() < 0.5 and min(height, width) > 4:
        image = cv2.GaussianBlur(image, (5, 5), 2)
        cv2.putText(image, "Text 12:30", (2, height // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (250, 20, 60), 2)
    return image


def resizes(rng):
    sizes = [
        (1, 1, 5, 7),
        (8, 6, 4, 3),
        (9, 7, 4, 3),
        (5, 5, 5, 5),
        (300, 200, 150, 100),
        (33, 41, 66, 82),
        (3, 500, 32, 1),
    ]
    sizes += [tuple(rng.integers(1, 260, 4).tolist()) for _ in range(60)]
    for height, width, to_height, to_width in sizes:
        image = picture(rng, height, width)
        scaled = cv2.resize(image, (to_width, to_height), interpolation=cv2.INTER_LINEAR)
        yield ints(height, width, to_height, to_width) + image.tobytes() + scaled.tobytes()


# Three corners on a line, or two in one place: what clipping a turned box at a picture's corner may leave.
FLAT_QUADS = (
    ((0, 0), (10, 0), (0, 10), (0, 0)),
    ((0, 0), (10, 5), (20, 10), (0, 10)),
    ((3, 3), (10, 10), (15, 15), (20, 20)),
)
MEETING_QUADS = (((0, 10), (10, 0), (20, 0), (0, 20)), ((0, 12), (12, 0), (30, 0), (0, 25)))
"""Their sides meet in the picture's origin, where OpenCV finds no transform and ppedge does."""


def meeting_crops(rng):
    for quad in MEETING_QUADS:
        image = picture(rng, 30, 40)
        crop = crop_quad(image, quad)
        yield ints(30, 40) + image.tobytes() + floats(quad) + ints(*crop.shape[:2]) + crop.tobytes()


def crops(rng):
    for quad in FLAT_QUADS:
        image = picture(rng, 30, 40)
        crop = crop_quad(image, quad)
        yield ints(30, 40) + image.tobytes() + floats(quad) + ints(*crop.shape[:2]) + crop.tobytes()
    for case in range(120):
        height, width = rng.integers(20, 300, 2).tolist()
        image = picture(rng, height, width)
        size = rng.uniform(2, [0.8 * width, 0.5 * height])
        centre = rng.uniform([0, 0], [width, height])
        box = cv2.boxPoints((centre.tolist(), size.tolist(), float(rng.uniform(-90, 90)) if case % 4 else 0.0))
        quad = order_quad(box + (rng.uniform(-4, 4, (4, 2)) if case % 3 == 0 else 0))  # a rectangle, or a quad
        if min(np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)) < 2:
            continue
        crop = crop_quad(image, quad)
        yield ints(height, width) + image.tobytes() + floats(quad) + ints(*crop.shape[:2]) + crop.tobytes()


def rectangles(rng):
    for case in range(2000):
        spread = int(rng.choice([3, 8, 60, 900]))
        points = rng.integers(0, spread, (int(rng.integers(1, 40)), 2))
        if case % 3 == 0:  # on a line, or symmetric: several rectangles of one area
            points[:, 1] = points[:, 0] if case % 2 else spread - points[:, 0]
        if case % 5 == 0:
            points = np.concatenate([points, spread - points, points[:, ::-1]])
        points = points.astype(np.int32)
        (x, y), (width, height), angle = cv2.minAreaRect(points)
        corners = cv2.boxPoints(((x, y), (width, height), angle))
        yield (
            ints(len(points)) + points.astype(">i4").tobytes() + floats([x, y, width, height, angle]) + floats(corners)
        )


def mask(rng, height, width):
    """A probability map: turned and straight lines of text, rings with holes, specks, noise, things at the border."""
    drawn = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(0, 25))):
        kind, value = rng.integers(0, 6), float(rng.uniform(0.25, 1))
        centre = rng.uniform([-5, -5], [width + 5, height + 5])
        size = (float(rng.uniform(3, width / 2)), float(rng.uniform(2, 30)))
        angle = float(rng.choice([0, 45, 90, rng.uniform(-90, 90)]))
        corners = cv2.boxPoints((centre.tolist(), size, angle)).astype(np.int32)
        if kind < 3:
            cv2.fillPoly(drawn, [corners], value)
        elif kind == 3:
            cv2.polylines(drawn, [corners], True, value, int(rng.integers(1, 5)))
        elif kind == 4:
            cv2.ellipse(drawn, (int(centre[0]), int(centre[1])), (int(size[0] / 3) + 1, 12), angle, 0, 360, value,
                        int(rng.choice([-1, 1, 3])))  # fmt: skip
        else:
            cv2.circle(drawn, (int(centre[0]), int(centre[1])), int(rng.integers(0, 9)), value, -1)
    noise = rng.random((height, width), np.float32)
    if rng.random() < 0.3:
        drawn = np.where(noise > 0.97, 1 - drawn, drawn)
    return np.clip(drawn + (noise - 0.5) * 0.1, 0, 1).astype(np.float32)


def masks(rng):
    for case in range(MASKS):
        height, width = (rng.integers(1, 9, 2) * 32).tolist()
        spec = DbPostprocess(
            box_thresh=float(rng.choice([0.3, 0.6, 0.7])),
            unclip_ratio=float(rng.choice([1.5, 1.6, 2.2])),
            max_candidates=1000 if case % 9 else 7,
            dilation=case % 5 == 4,
            score_mode="slow" if case % 7 == 6 else "fast",
        )
        spec = replace(spec, thresh=0.2) if case % 6 == 5 else spec
        probability = mask(rng, height, width)
        size = (int(height * rng.uniform(0.3, 4)) + 1, int(width * rng.uniform(0.3, 4)) + 1)
        boxes = boxes_from_map(probability, size, spec)
        yield (
            ints(height, width, *size, spec.max_candidates, spec.min_side, GROWN_SIDE)
            + bytes([spec.dilation, spec.score_mode == "slow"])
            + doubles(spec.thresh, spec.box_thresh, spec.unclip_ratio)
            + floats(probability)
            + ints(len(boxes))
            + b"".join(floats(box.quad) + doubles(box.score) for box in boxes)
        )


def orders(rng):
    for _ in range(200):
        quads = rng.integers(0, 60, (int(rng.integers(0, 30)), 4, 2)).astype(np.float32) / 2
        order = reading_order(quads)
        yield ints(len(quads)) + floats(quads) + ints(*order)


def texts(rng):
    charset = Charset(CHARACTERS)
    for _ in range(200):
        logits = rng.normal(0, 3, (int(rng.integers(0, 60)), charset.size)).astype(np.float32)
        logits[:, 0] += rng.choice([0, 4, 30])
        logits = np.repeat(logits, 2, axis=0)
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        text, score = decode(probabilities, charset)
        written = text.encode()
        yield ints(len(logits), charset.size) + floats(probabilities) + ints(len(written)) + written + doubles(score)


def sizes(rng):
    for _ in range(500):
        height, width = rng.integers(1, 5000, 2).tolist()
        spec = DetPreprocess(
            limit_side=int(rng.integers(1, 2000)),
            limit_type=str(rng.choice(["min", "max"])),
            max_side=int(rng.integers(1, 4000)),
            multiple=int(rng.choice([32, 64])),
        )
        yield ints(height, width, spec.limit_side, spec.limit_type == "min", spec.max_side, spec.multiple) + ints(
            *det_size(height, width, spec)
        )


def colours(rng):
    """Every level of a channel with every opacity, and noise."""
    levels, alphas = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    for bgra in (np.dstack([levels, 255 - levels, levels, alphas]), rng.integers(0, 256, (9, 33, 4), np.uint8)):
        argb = bgra[..., ::-1].copy().view(">i4")
        yield ints(*bgra.shape[:2]) + argb.tobytes() + on_white(bgra).tobytes()


def transparent_files(rng):
    """PNG files, as the one reader of the toolkit reads them: four channels, and a palette."""
    image = Image.fromarray(rng.integers(0, 256, (12, 16, 4), np.uint8))
    palette = image.convert("RGB").quantize(7)
    for saved, options in ((image, {}), (palette, {"transparency": bytes([0, 40, 80, 120, 160, 200, 255])})):
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            saved.save(file.name, **options)
            data, read = Path(file.name).read_bytes(), read_image(file.name)
        yield ints(len(data)) + data + ints(*read.shape[:2]) + read.tobytes()


SUBJECTS = (resizes, crops, rectangles, masks, orders, texts, sizes, colours, transparent_files, meeting_crops)


def write(folder):
    """Write a file for each subject."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "characters.txt").write_text("".join(f"{c}\n" for c in CHARACTERS), encoding="utf-8")
    for number, subject in enumerate(SUBJECTS):
        cases = list(subject(np.random.default_rng(number)))
        (folder / subject.__name__).write_bytes(ints(len(cases)) + b"".join(cases))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
