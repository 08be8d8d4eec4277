"""The words of both worlds for the parts of networks: a new part, or a new name of one, is a line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ppedge.errors import shown
from ppedge.migrate.source import Source, written

IMPLIED = "the task and the part before imply it"
NO_PRETRAINING = "weights to start from are named by train.weights and train.backbone_weights"


@dataclass(frozen=True)
class Part:
    """How a part of a network of PaddleOCR's becomes a section of the recipe.

    Attributes:
        name: The section's.
        keys: PaddleOCR's keys, and the recipe's for the same; a value is taken as it is.
        defaults: What PaddleOCR takes for a key of its that is not there, where the recipe's default is another.
        without_effect: Keys that decide nothing, and why.
        note: What is to be said about the name, if it is not simply taken.
        fixed: PaddleOCR's keys that have one value here.
    """

    name: str
    keys: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    without_effect: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)


def _same(*keys: str) -> dict[str, str]:
    return {key: key for key in keys}


_OF_BACKBONE = {"in_channels": IMPLIED, "pretrained": NO_PRETRAINING, "det": IMPLIED}
_MOBILE_NET_V3 = _same("model_name", "scale", "large_stride", "small_stride")
_RES_NET = Part(
    "ResNet_vd",
    _same("layers"),
    without_effect=_OF_BACKBONE | {"disable_se": "it has no squeeze-and-excitation"},
)
_OLD_RES_NET = Part(
    _RES_NET.name,
    _RES_NET.keys,
    without_effect=_RES_NET.without_effect,
    note="PaddleOCR's configurations before 2022-06-27 call ResNet_vd so, and nothing in a configuration tells the "
    "other network of that name (7x7 convolution first), which ppedge has not: weights of that one do not fit",
)
_PP_HG_NET = Part("PPHGNet_small", without_effect=_OF_BACKBONE | {"scale": "there is one size"})
_MOBILE_NET_V1 = Part(
    "MobileNetV1Enhance",
    _same("scale", "last_conv_stride", "last_pool_type", "last_pool_kernel_size"),
    without_effect=_OF_BACKBONE,
)
_PP_LC_NET_V3 = Part("PPLCNetV3", _same("scale", "conv_kxk_num"), {"scale": 1.0}, _OF_BACKBONE)
_PP_LC_NET_V4 = Part("PPLCNetV4", _same("model_size"), without_effect=_OF_BACKBONE)
_SVTR_NET = Part(
    "SVTRNet",
    _same("img_size", "embed_dim", "depth", "num_heads", "mixer", "local_mixer", "out_channels", "out_char_num"),
    {"img_size": [32, 100], "mixer": ["Local"] * 6 + ["Global"] * 6, "local_mixer": [[7, 11]] * 3, "out_char_num": 25},
    _OF_BACKBONE | {"last_stage": "the row that the head reads is always made: without it PaddleOCR cannot train"},
    fixed={"patch_merging": "Conv", "prenorm": True},
)
BACKBONES: Mapping[str, Mapping[str, Part]] = {
    "det": {
        "MobileNetV3": Part("MobileNetV3", _MOBILE_NET_V3 | _same("disable_se"), {"disable_se": False}, _OF_BACKBONE),
        "ResNet_vd": _RES_NET,
        "ResNet": _OLD_RES_NET,
        "PPHGNet_small": _PP_HG_NET,
        "PPHGNet": _PP_HG_NET,
        "PPLCNetV3": _PP_LC_NET_V3,
        "PPLCNetV4": _PP_LC_NET_V4,
    },
    "rec": {
        "MobileNetV3": Part("MobileNetV3", _MOBILE_NET_V3, {"model_name": "small"}, _OF_BACKBONE),
        "MobileNetV1Enhance": _MOBILE_NET_V1,
        "PPLCNetV3": _PP_LC_NET_V3,
        "PPLCNetV4": _PP_LC_NET_V4,
        "SVTRNet": _SVTR_NET,
    },
    "cls": {
        "MobileNetV3": Part("MobileNetV3", _MOBILE_NET_V3, {"model_name": "small"}, _OF_BACKBONE),
        "MobileNetV1Enhance": _MOBILE_NET_V1,
    },
}
"""By task, then by PaddleOCR's name."""
_REP_LK_FPN = Part("RepLKFPN", _same("out_channels", "shortcut", "dilated_kernel_size"), fixed={"intracl": False})
NECKS: Mapping[str, Part] = {
    "DBFPN": Part("DBFPN", _same("out_channels")),
    "RSEFPN": Part("RSEFPN", _same("out_channels", "shortcut")),
    "RepLKFPN": _REP_LK_FPN,
    "UniRepLKFPN": _REP_LK_FPN,
    "LKPAN": Part("LKPAN", _same("out_channels", "mode", "intracl")),
}
"""Of detectors."""
_PF_HEAD = Part("PFHeadLocal", _same("mode", "k"), {"mode": "small"})
HEADS: Mapping[str, Mapping[str, Part]] = {
    "det": {
        "DBHead": Part("DBHead", _same("k", "kernel_list", "fix_nan")),
        "PFHeadLocal": _PF_HEAD,
        "CBNHeadLocal": _PF_HEAD,
    },
    "rec": {"CTCHead": Part("CTCHead", _same("mid_channels"))},
    "cls": {"ClsHead": Part("ClsHead")},
}
"""By task, then by PaddleOCR's name."""
SVTR = Part("SVTR", _same("dims", "depth", "hidden_dims", "kernel_size"))
SEQUENCE_MODELS: Mapping[str, Part] = {
    "svtr": SVTR,
    "lightsvtr": Part(
        "LightSVTR",
        _same("dims", "depth", "mlp_ratio", "local_kernel"),
        {"dims": 64, "depth": 1, "mlp_ratio": 4.0},
    ),
    "reshape": Part("Reshape"),
}
"""Those of MultiHead."""
_OF_GUIDE = {"backbone": "the guide reads the backbone here as well"}
GUIDES: Mapping[str, Part] = {
    "SARHead": Part("SARHead", _same("enc_dim", "max_text_length"), without_effect=_OF_GUIDE),
    "NRTRHead": Part("NRTRHead", _same("nrtr_dim", "max_text_length"), {"nrtr_dim": 256}, _OF_GUIDE),
}
"""What MultiHead has beside CTC."""


def section_of(source: Source, part: Part, place: str, *, named: bool = True) -> dict[str, Any]:
    """Return a part's section of the recipe, and answer the keys that it was made of.

    Args:
        source: The part's section of the configuration.
        part: What it becomes.
        place: The section's own path in the recipe, for findings.
        named: The configuration says the part's name by a key ``name``.
    """
    if named:
        answer = source.changed if part.note else source.taken
        answer("name", f"{place}: {part.name}" + (f"; {part.note}" if part.note else ""))
    section: dict[str, Any] = {"name": part.name}
    for theirs, ours in part.keys.items():
        if theirs in source:
            section[ours] = source.value(theirs)
            source.taken(theirs, f"{place}.{ours}: {written(section[ours])}")
        elif theirs in part.defaults:
            section[ours] = part.defaults[theirs]
    for key, value in part.fixed.items():
        if source.value(key, value) == value:
            source.taken(key, f"{part.name} is so")
        else:
            source.left_out(key, f"{part.name} has {key}: {written(value)}")
    return section


def known_part(source: Source, parts: Mapping[str, Part], kind: str) -> Part:
    """Return what the part of a section's ``name`` becomes.

    Raises:
        PpedgeError: ppedge has no such part.
    """
    name = source.text("name")
    if name not in parts:
        raise source.error(
            "name" if name else "",
            f"{shown(name)} is no {kind} that ppedge has",
            f"It has {', '.join(parts)}.",
        )
    return parts[name]
