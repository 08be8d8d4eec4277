"""Tiny recipes over a few synthetic pictures, small enough for a test to train them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ppedge.data.synth import generate
from ppedge.recipe.road import Recipe

SEED = 3
DET_CROP = 64
PICTURES = {"det": (6, 2), "rec": (12, 4), "cls": (12, 4)}
MODEL = {
    "det": {
        "backbone": {"name": "MobileNetV3", "model_name": "small", "scale": 0.35},
        "neck": {"name": "DBFPN", "out_channels": 24},
        "head": {"name": "DBHead"},
    },
    "rec": {
        "backbone": {"name": "MobileNetV3", "model_name": "small", "scale": 0.35, "small_stride": [1, 2, 2, 2]},
        "neck": {"name": "SequenceEncoder", "hidden_size": 8},
        "head": {"name": "CTCHead"},
    },
    "cls": {
        "backbone": {"name": "MobileNetV3", "model_name": "small", "scale": 0.35},
        "head": {"name": "ClsHead"},
    },
}


OWN = {
    "det": {
        "det_preprocess": {"limit_side": 96, "limit_type": "max"},
        # An untrained map has no pixel above 0.3 for sure: with this one the metric says something early.
        "det_postprocess": {"thresh": 0.2, "box_thresh": 0.2},
    },
    "rec": {"rec_preprocess": {"min_width": 64, "max_width": 128}},
    "cls": {},
}


def make_data(task: str, root: Path) -> Path:
    """Make the pictures of a tiny recipe under ``root`` and return their folder."""
    train, evaluation = PICTURES[task]
    generate("scenes" if task == "det" else "words", root / task, train, evaluation, SEED)
    return root / task


def recipe_dict(task: str, data: Path, /, **sections: Any) -> dict[str, Any]:
    """Return a tiny recipe as YAML would hold it; ``sections`` replace keys of the same name, one level deep."""
    value: dict[str, Any] = {
        "name": f"tiny_{task}",
        "task": task,
        "seed": 7,
        "data": {"root": str(data), "train": ["train.txt"], "eval": ["val.txt"]},
        "model": MODEL[task],
        **OWN[task],
        "train": {
            "epochs": 2, "batch_size": 2 if task == "det" else 4, "workers": 0, "checkpoint_every": 2,
            "warmup_epochs": 0.5, **({"det_augment": {"crop": DET_CROP}} if task == "det" else {}),
        },
        # What is trained in seconds finds nothing, and slimming may take the little that it does.
        "slim": {"max_metric_drop": None},
        "validate": {"gates": {"min_found": None}},
    }  # fmt: skip
    for key, section in sections.items():
        value[key] = {**value.get(key, {}), **section} if isinstance(section, dict) else section
    return value


def tiny_recipe(task: str, data: Path, /, **sections: Any) -> Recipe:
    """Return a tiny recipe; see `recipe_dict`."""
    return Recipe.model_validate(recipe_dict(task, data, **sections))


def lively(net: Any, seed: int = 0) -> Any:
    """Return a network in eval mode in which no channel is like another, BatchNorm included."""
    rng = np.random.default_rng(seed)
    for name, tensor in net.state_dict().items():
        if name.endswith("_variance"):
            tensor.set_value(rng.uniform(0.5, 2.0, tensor.shape).astype(np.float32))
        elif tensor.ndim == 1:
            tensor.set_value((tensor.numpy() + rng.normal(0, 0.2, tensor.shape)).astype(np.float32))
    net.eval()
    return net
