"""Converted runs whose networks are known by heart, and pictures for them."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import yaml

import ppedge.arm
from ppedge.ocr.spec import DbPostprocess, DetPreprocess, ModelSpec, RecPreprocess
from ppedge.runs import Run
from small import recipe_dict
from tiny_onnx import save_answer, save_det, save_rec

NB = Path(ppedge.arm.__file__).with_name("selftest.nb")
SPECS = {
    "det": ModelSpec(
        "det",
        det_preprocess=DetPreprocess(limit_side=32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        det_postprocess=DbPostprocess(),
    ).to_dict(),
    "cls": {
        "task": "cls",
        "cls_preprocess": {"height": 48, "width": 192, "mean": 0.5, "std": 0.5},
        "cls_postprocess": {"turn_score": 0.9},
    },
    "rec": ModelSpec("rec", rec_preprocess=RecPreprocess(), characters=("车", "b", " ")).to_dict(),
}

OTHER_REC = ModelSpec(
    "rec", rec_preprocess=RecPreprocess(height=48, min_width=96, mean=0.4, std=0.6), characters=("x", "y")
).to_dict()
"""A second recogniser, of PP-OCRv3's height: every line reads "yx"."""

SAVE = {"det": save_det, "rec": save_rec, "cls": lambda path: save_answer(path, np.float32([[0.04, 0.96]]))}


def save_other_rec(path):
    answer = np.zeros((1, 2, 3), np.float32)
    answer[0, 0, 2], answer[0, 1, 1] = 0.5, 1.0
    save_answer(path, answer)


def make_run(path, task, precisions=("fp32", "int8"), data="nowhere", inputs=(), other=False):
    spec, save = (OTHER_REC, save_other_rec) if other else (SPECS[task], SAVE[task])
    run = Run(path)
    path.mkdir(parents=True)
    run.recipe_path.write_text(yaml.safe_dump(recipe_dict("det" if task == "cls" else task, data)))
    names = []
    with run.writing("convert") as folder:
        for precision in precisions:
            names += [f"{task}.{precision}.nb", f"{task}.{precision}.onnx"]
            shutil.copyfile(NB, folder / names[-2])
            save(folder / names[-1])
        run.write_manifest(folder, "convert", outputs=names, inputs=inputs, model=spec,
                           metrics={"files": {name: {"bytes": 1} for name in names}})  # fmt: skip
    return path


def draw(path, size=(64, 96), bars=((20, 30, 20, 70),)):
    image = np.zeros((*size, 3), np.uint8)
    for top, bottom, left, right in bars:
        image[top:bottom, left:right] = 255
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path
