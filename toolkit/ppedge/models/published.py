"""The networks that PaddleOCR has published weights of, and which of them a file of weights fits, told without Paddle.

A network is told by the names and shapes of what ships of it. What only training uses may be there or not, and the
number of a recogniser's classes is that of its dictionary.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ppedge.models.lstm_names import short_name
from ppedge.models.weight_parts import THRESHOLD, without_guides

CLASSES = re.compile(r"head\.(ctc_head\.)?fc2?\.(weight|bias)")
"""Names of the layer that gives a recogniser's or classifier's classes, along its last side."""

# Affines of activations that the network does not use are there in a checkpoint and not in an exported network.
_UNUSED = ".act.lab."
_DIGITS = 16


@dataclass(frozen=True)
class Published:
    """A network of PaddleOCR's.

    Attributes:
        name: What PaddleOCR calls it, in words.
        task: ``det``, ``rec`` or ``cls``.
        model: A recipe's ``model`` section that builds it, as YAML holds it. Settings that no name or shape tells may
            be others in a file that fits.
        form: Of its names and shapes; see `form_of`.
        recipe: The recipe that trains it, by the name under which it comes with ppedge.
        recipes: Others that train the same network, by the number of classes of their dictionary; see `recipe_for`.
    """

    name: str
    task: str
    model: Mapping[str, Any]
    form: str
    recipe: str
    recipes: Mapping[int, str] = field(default_factory=dict)

    def recipe_for(self, classes: int | None) -> str:
        """Return the recipe whose dictionary has so many classes, the blank included; of no such number `recipe`."""
        return self.recipe if classes is None else self.recipes.get(classes, self.recipe)


_MOBILE = {"name": "MobileNetV3", "model_name": "large", "scale": 0.5, "disable_se": True}
_DB = {"name": "DBHead"}
_SVTR_V4 = {"name": "MultiHead", "neck": {"name": "SVTR", "dims": 120, "kernel_size": [1, 3]}}


def _v4_det(*, folded: bool) -> Mapping[str, Any]:
    backbone = {"name": "PPLCNetV3", "scale": 0.75, "folded": folded}
    return {"backbone": backbone, "neck": {"name": "RSEFPN", "out_channels": 96}, "head": _DB}


def _v4_rec(*, folded: bool) -> Mapping[str, Any]:
    return {"backbone": {"name": "PPLCNetV3", "scale": 0.95, "folded": folded}, "head": _SVTR_V4}


def _v6_det(size: str, channels: int, kernel: int, *, folded: bool) -> Mapping[str, Any]:
    neck = {"name": "RepLKFPN", "out_channels": channels, "dilated_kernel_size": kernel, "folded": folded}
    return {"backbone": {"name": "PPLCNetV4", "model_size": size, "folded": folded}, "neck": neck, "head": _DB}


def _v6_rec(size: str, head: Mapping[str, Any], *, folded: bool) -> Mapping[str, Any]:
    backbone = {"name": "PPLCNetV4", "model_size": size, "folded": folded}
    return {"backbone": backbone, "head": {"name": "MultiHead", **head}}


_TINY_HEAD = {"neck": {"name": "Reshape"}, "mid_channels": 80, "use_guide": True}
_SMALL_HEAD = {"neck": {"name": "LightSVTR"}}
_V5_REC = {18385: "ppocrv5_rec_mobile"}


PUBLISHED = (
    Published(
        "PP-OCR's detector, v1 and v2",
        "det",
        {"backbone": _MOBILE, "neck": {"name": "DBFPN", "out_channels": 96}, "head": _DB},
        "6a9e1694ac4e9df0",
        "ppocr_v1_det",
    ),
    Published(
        "PP-OCRv2's teacher of detectors, and the server detector of v2.0",
        "det",
        {"backbone": {"name": "ResNet_vd", "layers": 18}, "neck": {"name": "DBFPN", "out_channels": 256}, "head": _DB},
        "ed2c8fcae87c9899",
        "ppocr_v2.0_det_res18",
    ),
    Published(
        "PP-OCRv3's detector",
        "det",
        {"backbone": _MOBILE, "neck": {"name": "RSEFPN", "out_channels": 96}, "head": _DB},
        "10d6e7be22a3fc76",
        "ppocrv3_det_student",
    ),
    Published(
        "PP-OCRv3's teacher of detectors",
        "det",
        {
            "backbone": {"name": "ResNet_vd", "layers": 50},
            "neck": {"name": "LKPAN", "out_channels": 256},
            "head": {"name": "DBHead", "kernel_list": [7, 2, 2]},
        },
        "545b9dd09bfd8e45",
        "ppocrv3_det_teacher",
    ),
    Published(
        "PP-OCRv4's teacher of detectors, and its server detector",
        "det",
        {
            "backbone": {"name": "PPHGNet_small"},
            "neck": {"name": "LKPAN", "out_channels": 256, "intracl": True},
            "head": {"name": "PFHeadLocal", "mode": "large"},
        },
        "03ac47ce5e4d622c",
        "ppocrv4_det_teacher",
    ),
    Published(
        "PP-OCRv4's detector (v5's mobile one alike)",
        "det",
        _v4_det(folded=False),
        "a2a4e3ee9c228eb9",
        "ppocrv4_det_student",
    ),
    Published(
        "PP-OCRv4's detector, re-parameterised (v5's mobile one alike)",
        "det",
        _v4_det(folded=True),
        "8b3631118ce4f2e3",
        "ppocrv4_det_student",
    ),
    Published(
        "PP-OCR's mobile recogniser of v2.0",
        "rec",
        {
            "backbone": {"name": "MobileNetV3", "model_name": "small", "scale": 0.5, "small_stride": [1, 2, 2, 2]},
            "neck": {"name": "SequenceEncoder", "hidden_size": 48},
            "head": {"name": "CTCHead"},
        },
        "bad4e01f67a24487",
        "ppocr_v1_rec_en",
    ),
    Published(
        "PP-OCRv2's recogniser",
        "rec",
        {
            "backbone": {"name": "MobileNetV1Enhance", "scale": 0.5},
            "neck": {"name": "SequenceEncoder", "hidden_size": 64},
            "head": {"name": "CTCHead", "mid_channels": 96},
        },
        "ed785ae675c7382f",
        "ppocrv2_rec",
    ),
    Published(
        "PP-OCRv3's recogniser",
        "rec",
        {
            "backbone": {
                "name": "MobileNetV1Enhance",
                "scale": 0.5,
                "last_conv_stride": [1, 2],
                "last_pool_type": "avg",
                "last_pool_kernel_size": [2, 2],
            },
            "head": {"name": "MultiHead", "neck": {"name": "SVTR"}},
        },
        "0324e93802b492aa",
        "ppocrv3_rec",
        {97: "ppocrv3_rec_en"},
    ),
    Published(
        "PP-OCRv4's recogniser (v5's mobile one alike)",
        "rec",
        _v4_rec(folded=False),
        "7ac0aff7c1787871",
        "ppocrv4_rec",
        _V5_REC,
    ),
    Published(
        "PP-OCRv4's recogniser, re-parameterised (v5's mobile one alike)",
        "rec",
        _v4_rec(folded=True),
        "a4af0b7cef368165",
        "ppocrv4_rec",
        _V5_REC,
    ),
    Published(
        "PP-OCRv6's tiny detector",
        "det",
        _v6_det("tiny", 64, 5, folded=False),
        "f4f23aa3b7a8ccc8",
        "ppocrv6_det_tiny",
    ),
    Published(
        "PP-OCRv6's tiny detector, re-parameterised",
        "det",
        _v6_det("tiny", 64, 5, folded=True),
        "b1b15c9ccafbfe1d",
        "ppocrv6_det_tiny",
    ),
    Published(
        "PP-OCRv6's small detector",
        "det",
        _v6_det("small", 96, 7, folded=False),
        "09caa78b48885560",
        "ppocrv6_det_small",
    ),
    Published(
        "PP-OCRv6's small detector, re-parameterised",
        "det",
        _v6_det("small", 96, 7, folded=True),
        "e58ada9f1567c62b",
        "ppocrv6_det_small",
    ),
    Published(
        "PP-OCRv6's tiny recogniser",
        "rec",
        _v6_rec("tiny", _TINY_HEAD, folded=False),
        "98c29ce4a025beca",
        "ppocrv6_rec_tiny",
    ),
    Published(
        "PP-OCRv6's tiny recogniser, re-parameterised",
        "rec",
        _v6_rec("tiny", _TINY_HEAD, folded=True),
        "c3d610e357d34b5c",
        "ppocrv6_rec_tiny",
    ),
    Published(
        "PP-OCRv6's small recogniser",
        "rec",
        _v6_rec("small", _SMALL_HEAD, folded=False),
        "d39a83892ff6256c",
        "ppocrv6_rec_small",
    ),
    Published(
        "PP-OCRv6's small recogniser, re-parameterised",
        "rec",
        _v6_rec("small", _SMALL_HEAD, folded=True),
        "b256e188a34ebf64",
        "ppocrv6_rec_small",
    ),
    Published(
        "PP-OCR's direction classifier",
        "cls",
        {"backbone": {"name": "MobileNetV3", "model_name": "small", "scale": 0.35}, "head": {"name": "ClsHead"}},
        "26c1f4b7ec06101a",
        "ppocr_v1_cls",
    ),
)


def fitting(state: Mapping[str, np.ndarray]) -> Published | None:
    """Return the published network whose names and shapes a network's weights have; None if it is none of them."""
    form = form_of(state)
    return next((network for network in PUBLISHED if network.form == form), None)


def form_of(state: Mapping[str, np.ndarray]) -> str:
    """Return 16 digits of the sha256 of the names and shapes of what ships of a network, whatever their order."""
    return hashlib.sha256("\n".join(sorted(set(_lines(state)))).encode()).hexdigest()[:_DIGITS]


def _lines(state: Mapping[str, np.ndarray]) -> Iterator[str]:
    for name, array in without_guides(state).items():
        if not name.startswith(THRESHOLD) and _UNUSED not in name:
            sides = [*map(str, array.shape)]
            if CLASSES.fullmatch(name):
                sides[-1:] = ["classes"]
            yield f"{short_name(name)} {' '.join(sides)}"
