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
