"""Run as a program, ``python tests/bundle/sample.py DIR``: a bundle whose networks are drawings, the same every time.

With the word ``several`` after it, of two recognisers of different heights and characters.

It needs no training and no Paddle: the detector's outputs are probability maps drawn from known quads (rotated, tall,
overlapping, touching the border, too small, none at all), the recogniser's spell known texts, the classifier's turn
some lines. Everything else, tensors, boxes, crops, texts, is what ppedge.ocr computes. The .nb files are real but
foreign: the emulator's self-test.
"""

import shutil
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

import ppedge.arm
from ppedge.bundle import golden, manifest
from ppedge.ocr.pipeline import Classifier, Detector, Recognizer
from ppedge.ocr.spec import ClsPostprocess, ClsPreprocess, DbPostprocess, DetPreprocess, ModelSpec, RecPreprocess

# Two spaces, as PaddleOCR's English dictionary has, and characters of two, three and four bytes in UTF-8.
CHARACTERS = (*"0123456789:ABCabcde$é车牌", "\U00020bb7", " ", " ")
DET = ModelSpec("det", det_preprocess=DetPreprocess(limit_side=320, limit_type="max"), det_postprocess=DbPostprocess())
REC = ModelSpec("rec", rec_preprocess=RecPreprocess(), characters=CHARACTERS)
CLS = ModelSpec("cls", cls_preprocess=ClsPreprocess(), cls_postprocess=ClsPostprocess())
# Of PP-OCRv3's height, and shorter.
TALL = ModelSpec(
    "rec", rec_preprocess=RecPreprocess(height=48, min_width=96, mean=0.4, std=0.6), characters=tuple("xyz ")
)
TALL_TEXTS = ["zyx", "x y", "", "yyz"]
TEXTS = ["车牌A00112", "aab bcc", "", "$ 12:30", "\U00020bb7é", "0", "deed  CAB", "99:99"]
# The classifier's probability of upside down: sure, not sure enough, at the limit (float32 of 0.9 lies below 0.9), no.
UPSIDE_DOWN = [0.97, 0.85, 0.9, 0.02, 0.6]

CHAIN = [
    {"stage": stage, "run": "sample_run", "manifest_sha256": digit * 64, "recipe_sha256": "e" * 64}
    for stage, digit in (("convert", "c"), ("train", "a"))
]


def rectangle(x, y, width, height, angle):
    """Corners of a rectangle with this centre, in shares of the picture's smaller side, turned by degrees."""
    return cv2.boxPoints(((x, y), (width, height), angle))


# Height, width, and the centres, sizes and angles of the quads on which the map is high, in pixels.
PICTURES = [
    (240, 320, [(160, 40, 220, 26, 0), (90, 100, 120, 22, 0), (230, 104, 100, 20, 0), (160, 180, 260, 40, 0)]),
    (431, 577, [(180, 90, 240, 34, 17), (400, 120, 220, 30, -23), (150, 270, 200, 40, 45), (400, 300, 26, 190, 5),
                (520, 330, 24, 150, -12)]),  # rotated, and two that are higher than wide
    (640, 480, [(90, 40, 260, 30, 0), (430, 200, 200, 36, 8), (240, 625, 300, 40, 0), (12, 400, 30, 180, 0),
                (300, 320, 160, 40, 0), (360, 344, 160, 40, 10), (300, 450, 200, 24, 0), (320, 482, 200, 24, 0)]),
    # touching and crossing the border; two that overlap; two that do so once they have grown
    (1200, 300, [(150, 200, 250, 60, -3), (150, 600, 60, 500, 0), (150, 1000, 12, 6, 30), (40, 1100, 20, 9, 0)]),
    (96, 61, [(30, 30, 40, 14, 0), (30, 70, 50, 12, 6)]),  # smaller than the limit
    (210, 330, []),  # no text at all
]  # fmt: skip


class Drawn:
    """A network that gives what it was told to."""

    name = "a drawing"

    def __init__(self, answer):
        self.answer = answer

    def run(self, inputs):
        return [self.answer(inputs[0])]


def draw_picture(height, width, quads, rng):
    image = cv2.resize(rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8), (width, height))
    for number, quad in enumerate(quads):
        cv2.fillPoly(image, [np.rint(quad).astype(np.int32)], rng.integers(120, 256, 3).tolist())
        origin = tuple(int(v) for v in quad.mean(axis=0) - (40, -6))
        cv2.putText(image, TEXTS[number % len(TEXTS)] or "-", origin, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (20, 20, 60), 2)
    return image


def draw_map(shape, size, quads, rng):
    """A probability map (1, 1, H, W): high inside the quads with an uneven, soft edge, noise below the threshold."""
    scale = np.array([shape[1] / size[1], shape[0] / size[0]])
    ink = np.zeros(shape, np.float32)
    for quad in quads:
        layer = np.zeros(shape, np.float32)
        # Fractions of a pixel: 4 bits of them.
        cv2.fillPoly(layer, [np.rint(quad * scale * 16).astype(np.int32)], float(rng.uniform(0.75, 0.97)), shift=4)
        ink = np.maximum(ink, layer)
    noise = rng.uniform(-0.08, 0.08, shape).astype(np.float32)
    return np.clip(cv2.GaussianBlur(ink, (3, 3), 0) + noise, 0, 1)[None, None]


def spell(text, characters, steps, rng):
    """Probabilities (1, T, C) that decode to a text: each character for one to three steps, blanks between."""
    path = []
    for character in text:
        path += [characters.index(character) + 1] * int(rng.integers(1, 4)) + [0] * int(rng.integers(1, 3))
    path = (path + [0] * steps)[:steps]
    values = rng.uniform(0, 1, (steps, len(characters) + 1))
    values[np.arange(steps), path] = rng.uniform(2, 20, steps)
    return (values / values.sum(axis=1, keepdims=True)).astype(np.float32)[None]


def add_model(folder, task, spec, name=""):
    """Put a model into a bundle and return its entry of the manifest."""
    nb = Path(ppedge.arm.__file__).with_name("selftest.nb")
    shutil.copyfile(nb, folder / manifest.model_file(task, name))
    return manifest.model_entry(folder, task, spec.to_dict(), precision="fp32", chain=CHAIN, recognizer=name)


ONE = {"": (REC, TEXTS)}
SEVERAL = {"plates": (REC, TEXTS), "en": (TALL, TALL_TEXTS)}


def write_sample(folder, specs=ONE, pictures=PICTURES):
    """Write the bundle into a folder that is not there yet.

    Args:
        folder: The folder.
        specs: Specification and texts of each recogniser by its name.
        pictures: Of `PICTURES`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    for name, (spec, _) in specs.items():
        manifest.write_charset(folder, spec.characters, name)
    models = {"det": add_model(folder, "det", DET), "cls": add_model(folder, "cls", CLS)}
    recognizers = {name: add_model(folder, "rec", spec, name) for name, (spec, _) in specs.items()}
    rng = np.random.default_rng(11)
    calls = Counter()

    def count(what):
        calls[what] += 1
        return calls[what] - 1

    def direction(_):
        p = np.float32(UPSIDE_DOWN[count("cls") % len(UPSIDE_DOWN)])
        return np.array([[1 - p, p]], np.float32)

    def reader(name, spec, texts):
        def answer(x):
            return spell(texts[count(("rec", name)) % len(texts)], spec.characters, x.shape[3] // 4, rng)

        return Recognizer(Drawn(answer), spec)

    readers = {name: reader(name, *about) for name, about in specs.items()}
    classifier = Classifier(Drawn(direction), CLS)
    cases = []
    for number, (height, width, shapes) in enumerate(pictures, 1):
        quads = [rectangle(*shape) for shape in shapes]
        image = draw_picture(height, width, quads, rng)
        size = (height, width)
        detector = Detector(Drawn(lambda x, q=quads, s=size: draw_map(x.shape[2:], s, q, rng)), DET)
        cases.append(golden.write_golden(folder, f"{number:02d}", "drawn", image, detector, readers, classifier))
    manifest.write_manifest(folder, "sample", models, recognizers, cases, {"name": "drawn", "version": "1"})


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["several"]):
        sys.exit("usage: python tests/bundle/sample.py DIR [several]")
    write_sample(sys.argv[1], *((SEVERAL, PICTURES[0:5:4]) if len(sys.argv) == 3 else ()))
