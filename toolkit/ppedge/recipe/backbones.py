"""The recipe's sections on backbones, under the names PaddleOCR uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ppedge.recipe.base import For
from ppedge.recipe.parts import Form, Part


class MobileNetV3(Part):
    """MobileNetV3 as PP-OCR uses it."""

    takes: ClassVar[Form] = "picture"
    gives: ClassVar[Mapping[str, Form]] = {"det": "pyramid", "rec": "row", "cls": "row"}
    name: Literal["MobileNetV3"]
    model_name: Literal["large", "small"] = "large"
    """Which of the two published layouts."""
    scale: float = Field(0.5, gt=0)
    """Width multiplier; channels are rounded to a multiple of 8."""
    disable_se: Annotated[bool, For("det")] = True
    """For a detector: leave the squeeze-and-excitation parts out."""
    large_stride: Annotated[tuple[int, int, int, int], For("rec", "cls")] = (1, 2, 2, 2)
    """For a recogniser or classifier, ``large``: strides of the height."""
    small_stride: Annotated[tuple[int, int, int, int], For("rec", "cls")] = (2, 2, 2, 2)
    """For a recogniser or classifier, ``small``: strides of the height."""


class ResNet_vd(Part):  # noqa: N801 - under the name that recipes use
    """ResNet-D, as PP-OCR's teachers and server detectors use it."""

    takes: ClassVar[Form] = "picture"
    gives: ClassVar[Mapping[str, Form]] = {"det": "pyramid"}
    name: Literal["ResNet_vd", "ResNet"]
    """``ResNet`` is its name in PaddleOCR's configurations before June 2022; what is called so since then, with a 7x7
    convolution first, is another network, whose weights are refused."""
    layers: Literal[18, 34, 50] = 50
    """Which of the published depths: basic blocks in the first two, bottlenecks in the third."""


class PPHGNet_small(Part):  # noqa: N801 - under the name that recipes use
    """PP-HGNet, as PP-OCRv4's teacher and server detector use it."""

    takes: ClassVar[Form] = "picture"
    gives: ClassVar[Mapping[str, Form]] = {"det": "pyramid"}
    name: Literal["PPHGNet_small"]


class MobileNetV1Enhance(Part):
    """The backbone of PP-OCRv2's and v3's recognisers."""

    takes: ClassVar[Form] = "picture"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "row", "cls": "row"}
    name: Literal["MobileNetV1Enhance"]
    scale: float = Field(0.5, gt=0)
    """Width multiplier; channels are rounded down."""
    last_conv_stride: int | tuple[int, int] = 1
    """Of the last block, height and width; PP-OCRv3 has [1, 2]."""
    last_pool_type: Literal["max", "avg"] = "max"
    """The pooling at the end; PP-OCRv3 has ``avg``."""
    last_pool_kernel_size: tuple[int, int] = (2, 2)
    """Height and width of the windows of ``avg``: [2, 2] as PP-OCRv3's published weights were trained, which no name or
    shape of theirs tells."""


class PPLCNetV3(Part):
    """PP-LCNetV3, the backbone of PP-OCRv4, with branches that are folded into one convolution after training."""

    takes: ClassVar[Form] = "picture"
    gives: ClassVar[Mapping[str, Form]] = {"det": "pyramid", "rec": "row"}
    name: Literal["PPLCNetV3"]
    scale: float = Field(0.75, ge=0.1)
    """Width multiplier; channels are rounded to a multiple of 16. PP-OCRv4's detector has 0.75, its recogniser 0.95."""
    conv_kxk_num: int = Field(4, ge=1)
    """Convolutions of the full kernel that are trained beside each other in each layer."""
    folded: bool = False
    """Start from the re-parameterised form, without branches: official weights that come out of inference models have
    it. It trains and slims, though a training from fresh weights gains by the branches."""
