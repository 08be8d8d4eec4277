"""Official weights that ppedge knows, and the settings they were trained with that no name or shape tells.

A network is known by one of its tensors, so that the same weights are known in a file that was saved again, without the
layers that only training uses, or with another head. A descendant has other values: of it no more can be said than that
its backbone has the layers of a known one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_PLACE = "backbone."


@dataclass(frozen=True)
class Known:
    """Official weights.

    Attributes:
        name: Under which they are published.
        tensor: Of the backbone, by whose values they are known.
        values: The sha256 of that tensor's bytes, as little-endian float32.
        form: The sha256 of names and shapes of the backbone; see `form_of`.
        beside: A name that the rest of the network has, where others have the same layers in their backbone; without
            it, weights with such a backbone are not taken for a descendant's.
        settings: Keys of a recipe and the values that they were trained with, as YAML holds them.
        charset: Of a recogniser, the built-in character set whose classes it has.
        use_space_char: It has one for a space after them too, as the recipe's key of that name adds.
        recipe: The recipe to start from, by the name under which it comes with ppedge, where it is not the one of the
            published network whose names and shapes they have.
    """

    name: str
    tensor: str
    values: str
    form: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    charset: str | None = None
    use_space_char: bool = False
    beside: str | None = None
    recipe: str | None = None


_DET_FORM = "850234be7f69db61fc4d0173803f2cf53c70f6d19d5469d06a127467cb5899c9"
_DET_SETTINGS = {"det_preprocess.mean": [0.485, 0.456, 0.406], "det_preprocess.std": [0.229, 0.224, 0.225]}
_ENHANCE_FORM = "b1edf1a354560b6af1cb5625182760b8138886854900b7da01b509749b72f63e"
_REC_INPUT = {"rec_preprocess.mean": 0.5, "rec_preprocess.std": 0.5}
_V2_REC_SETTINGS = {
    "model.backbone.last_conv_stride": 1,
    "model.backbone.last_pool_type": "max",
    "rec_preprocess.height": 32,
    **_REC_INPUT,
}
_V3_REC_SETTINGS = {
    "model.backbone.last_conv_stride": [1, 2],
    "model.backbone.last_pool_type": "avg",
    "model.backbone.last_pool_kernel_size": [2, 2],
    "rec_preprocess.height": 48,
    **_REC_INPUT,
}
_V2_REC_BESIDE, _V3_REC_BESIDE = "neck.encoder.lstm.0.cell_fw.weight_ih", "head.ctc_encoder.encoder.conv1.conv.weight"
KNOWN = (
    Known(
        "ch_ppocr_mobile_v2.0_det",
        "conv.conv.weight",
        "6988906a5431cb7006fff82042aa499225b26032336f5efa98aeec43f19f19e6",
        _DET_FORM,
        _DET_SETTINGS,
    ),
    Known(
        "ch_PP-OCRv2_det",
        "conv.conv.weight",
        "8421cd969a5be25aff044abd89b723d6ad126abc919fe739ce7163ad9bcc6423",
        _DET_FORM,
        _DET_SETTINGS,
    ),
    Known(
        "ch_PP-OCRv3_det",
        "conv.conv.weight",
        "9c07365c5ab59c3534f737095098b49a012dbd7fc665e6a9434cdae34137c04a",
        _DET_FORM,
        {**_DET_SETTINGS, "model.neck.shortcut": True},
    ),
    Known(
        "en_number_mobile_v2.0_rec",
        "conv1.conv.weight",
        "8a8aeaa70b6fc2cb7c424439298cef47c01c484f8039508c1e8095735a218d12",
        "d5753c792fa794a8ccaed7e8f261cec1a20068c5ca1a5aa9b3af130a9d9be7fb",
        {"model.backbone.small_stride": [1, 2, 2, 2], "rec_preprocess.height": 32, **_REC_INPUT},
        "en_number",
    ),
    Known(
        "ch_PP-OCRv2_rec",
        "conv1._conv.weight",
        "484425221cedd054e44abfef4fb9bf0020bc09b6b0bccdc576391d7bb99c70b0",
        _ENHANCE_FORM,
        _V2_REC_SETTINGS,
        "ppocr_keys_v1",
        use_space_char=True,
        beside=_V2_REC_BESIDE,
    ),
    Known(
        "ch_PP-OCRv3_rec",
        "conv1._conv.weight",
        "279227b4fd4422a903f1b1fbeb48976b6bbbd59bf3fb0a8e029d3dc27ab70d73",
        _ENHANCE_FORM,
        _V3_REC_SETTINGS,
        "ppocr_keys_v1",
        use_space_char=True,
        beside=_V3_REC_BESIDE,
    ),
    Known(
        "en_PP-OCRv3_rec",
        "conv1._conv.weight",
        "f80c5ccdd6b3b84556921666013ee87981cb751a484a82e07b876e38ad883de4",
        _ENHANCE_FORM,
        _V3_REC_SETTINGS,
        "en_dict",
        use_space_char=True,
        beside=_V3_REC_BESIDE,
    ),
    # Re-parameterised, as they are published: their backbones have the form of no training.
    Known(
        "ch_PP-OCRv4_det",
        "conv1.conv.weight",
        "8debc2f677485be91701348b1fb4a07cdf1451ea8981033357f16a942b9c6b86",
        "2c800fe44a30f0e5d9ce304970e6473e42f9cadb4fa6767f4275a35474f730af",
        _DET_SETTINGS,
    ),
    Known(
        "ch_PP-OCRv4_rec",
        "conv1.conv.weight",
        "6849b069ded36c198870d8b1131790de6175af4352a2afc31170a0d9df4a1a2f",
        "ecdfa37eca1210f4f83b72140c3c6b1cff0f1f21381b8bb75b26015e46b3de2d",
        {"rec_preprocess.height": 48, **_REC_INPUT},
        "ppocr_keys_v1",
        use_space_char=True,
    ),
    # As they come out of published ONNX files.
    Known(
        "PP-OCRv5_mobile_det",
        "conv1.conv.weight",
        "95931975df4fe3547c734b6864013af8f4ee79a074b0a614366b4fbf6805de4e",
        "2c800fe44a30f0e5d9ce304970e6473e42f9cadb4fa6767f4275a35474f730af",
        _DET_SETTINGS,
        recipe="ppocrv5_det_mobile",
    ),
    Known(
        "PP-OCRv5_mobile_rec",
        "conv1.conv.weight",
        "dc2a8105fedf0f4c528c2edd68102f0a3712ec3f61747174b1a4e20a9c303c47",
        "ecdfa37eca1210f4f83b72140c3c6b1cff0f1f21381b8bb75b26015e46b3de2d",
        {"rec_preprocess.height": 48, **_REC_INPUT},
        "ppocrv5_dict",
        use_space_char=True,
        recipe="ppocrv5_rec_mobile",
    ),
    Known(
        "PP-OCRv6_tiny_det",
        "stem.stem1.conv.weight",
        "7710cf3045bc34c0a91b8246a52ed37f0ac02efe51608c491d9218b88a825f25",
        "53e7b9ee2ae3040a65e38876c44e6669ff83f337f13bdafb9c06654c8b185386",
        _DET_SETTINGS,
    ),
    Known(
        "PP-OCRv6_small_det",
        "stem.stem1.conv.weight",
        "c9397a699383d63d31bd1be1959116ff25e318096b67101bcbfd103606a21f74",
        "a4da82886caa05372202ea7585f7b8f6222bc56d33c5a0134d23a0d36b55d4b4",
        _DET_SETTINGS,
    ),
    Known(
        "PP-OCRv6_tiny_rec",
        "conv1.0.conv.weight",
        "6265e490acca5411384d057c7256fbbf47d4ee83584515dac1197d9e94b8b703",
        "0b141d553a6ddbcc009ba84338af5ac473be8e722581bd396e0e816bd61df5d8",
        {"rec_preprocess.height": 48, **_REC_INPUT},
        "ppocrv6_tiny_dict",
        use_space_char=True,
    ),
    Known(
        "PP-OCRv6_small_rec",
        "conv1.stem1.conv.weight",
        "3b90b58d25ed03b3c87009e20618714870eff94cef8b8bae8c45c4006e814ff6",
        "a41f06b178712afb29770d546754140175c475fa02aa8133e5befd543149d744",
        {"rec_preprocess.height": 48, **_REC_INPUT},
        "ppocrv6_dict",
        use_space_char=True,
    ),
)


def by_values(state: Mapping[str, np.ndarray]) -> Known | None:
    """Return the official weights that a file holds; None if they are none of those known here.

    Args:
        state: Arrays by structured name.
    """
    digests: dict[str, str] = {}
    for known in KNOWN:
        array = state.get(f"{_PLACE}{known.tensor}")
        if array is not None and known.tensor not in digests:
            digests[known.tensor] = hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()
        if digests.get(known.tensor) == known.values:
            return known
    return None


def by_form(state: Mapping[str, np.ndarray]) -> Known | None:
    """Return official weights whose backbone has the same names and shapes, and what it takes beside; None if none."""
    form = form_of(state)
    alike = (known for known in KNOWN if known.form == form)
    return next((known for known in alike if known.beside is None or known.beside in state), None)


def form_of(state: Mapping[str, np.ndarray]) -> str:
    """Return the sha256 of the names and shapes of a network's backbone, whatever their order in the file."""
    lines = sorted(f"{name} {list(array.shape)}" for name, array in state.items() if name.startswith(_PLACE))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
