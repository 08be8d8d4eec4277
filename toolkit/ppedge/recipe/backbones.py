"""The recipe's sections on backbones, under the names PaddleOCR uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from ppedge.recipe.base import For
from ppedge.recipe.parts import Form, Part

_Height = Annotated[int, Field(ge=16, multiple_of=16)]
_Width = Annotated[int, Field(ge=4, multiple_of=4)]
_Even = Annotated[int, Field(ge=2, multiple_of=2)]
_Count = Annotated[int, Field(ge=1)]
_Odd = Literal[1, 3, 5, 7, 9, 11]
_Window = tuple[_Odd, _Odd]
_Mixer = Literal["Conv", "Global"]
_CONV: list[_Mixer] = ["Conv"]
_GLOBAL: list[_Mixer] = ["Global"]


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


class PPLCNetV4(Part):
    """PP-LCNetV4, the backbone of PP-OCRv6, with branches that are folded into one convolution after training."""

    takes: ClassVar[Form] = "picture"
    gives: ClassVar[Mapping[str, Form]] = {"det": "pyramid", "rec": "row"}
    name: Literal["PPLCNetV4"]
    model_size: Literal["tiny", "small"] = "small"
    """Which of the published layouts."""
    folded: bool = False
    """Start from the re-parameterised form, without branches: weights that come out of published ONNX files have it."""


class SVTRNet(Part):
    """SVTR, as a teacher of PP-OCRv4's recogniser; it takes lines of one size."""

    takes: ClassVar[Form] = "picture"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "row"}
    name: Literal["SVTRNet"]
    img_size: tuple[_Height, _Width] = (48, 320)
    """Height and width of the lines in pixels; ``rec_preprocess`` has to give lines of that size, for a teacher
    with ``train.max_width``."""
    embed_dim: tuple[_Even, _Even, _Even] = (64, 128, 256)
    """Channels of the three stages, multiples of ``num_heads``."""
    depth: tuple[_Count, _Count, _Count] = (3, 6, 3)
    """Blocks of the three stages."""
    num_heads: tuple[_Count, _Count, _Count] = (2, 4, 8)
    """Heads of attention, or groups of convolution, in the three stages."""
    mixer: list[_Mixer] = _CONV * 6 + _GLOBAL * 6
    """What mixes tokens in each block of all stages, in their order: a convolution, or attention to all."""
    local_mixer: tuple[_Window, _Window, _Window] = ((5, 5), (5, 5), (5, 5))
    """Height and width of a convolution's window, in the three stages."""
    out_channels: int = Field(192, ge=8)
    """Channels of the row that it gives."""
    out_char_num: int = Field(40, ge=1)
    """Columns of that row."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.mixer) != sum(self.depth):
            raise ValueError(f"mixer has {len(self.mixer)} entries, and depth {sum(self.depth)} blocks")
        if any(channels % heads for channels, heads in zip(self.embed_dim, self.num_heads, strict=True)):
            raise ValueError("embed_dim is no multiple of num_heads")
        return self
