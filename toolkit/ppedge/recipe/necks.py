"""The recipe's sections on necks, under the names PaddleOCR uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from ppedge.recipe.parts import Form, Part


class DBFPN(Part):
    """The detector's feature pyramid."""

    takes: ClassVar[Form] = "pyramid"
    gives: ClassVar[Mapping[str, Form]] = {"det": "map"}
    name: Literal["DBFPN"]
    out_channels: int = Field(96, ge=4, multiple_of=4)
    """Channels of the concatenated output; a quarter of them comes from each level."""


class SequenceEncoder(Part):
    """The recogniser's sequence model: a two-layer bidirectional LSTM."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "sequence"}
    name: Literal["SequenceEncoder"]
    hidden_size: int = Field(48, ge=1)
    """Of each direction."""


class RSEFPN(Part):
    """The feature pyramid of PP-OCRv3's detector: channels are weighed by their means at every level."""

    takes: ClassVar[Form] = "pyramid"
    gives: ClassVar[Mapping[str, Form]] = {"det": "map"}
    name: Literal["RSEFPN"]
    out_channels: int = Field(96, ge=16, multiple_of=16)
    """Channels of the concatenated output; a quarter of them comes from each level."""
    shortcut: bool = True
    """Add what is weighed to what it was before."""


class RepLKFPN(Part):
    """The feature pyramid of PP-OCRv6's detector: large depthwise kernels, with branches folded after training.

    PaddleOCR has also called it ``UniRepLKFPN``.
    """

    takes: ClassVar[Form] = "pyramid"
    gives: ClassVar[Mapping[str, Form]] = {"det": "map"}
    within: ClassVar[Mapping[str, Form]] = {"top_down": "pyramid"}
    name: Literal["RepLKFPN"]
    out_channels: int = Field(96, ge=16, multiple_of=16)
    """Channels of the concatenated output; a quarter of them comes from each level."""
    dilated_kernel_size: Literal[5, 7, 9] = 7
    """Of the depthwise kernels; PP-OCRv6's tiny detector has 5."""
    shortcut: bool = True
    """Add what is weighed to what it was before."""
    folded: bool = False
    """Start from the re-parameterised form, without branches: weights that come out of published ONNX files have it."""


class LKPAN(Part):
    """The path aggregation with large kernels of PP-OCRv3's and v4's teachers."""

    takes: ClassVar[Form] = "pyramid"
    gives: ClassVar[Mapping[str, Form]] = {"det": "map"}
    name: Literal["LKPAN"]
    out_channels: int = Field(256, ge=8, multiple_of=8)
    """Channels of the concatenated output; a quarter of them comes from each level."""
    mode: Literal["large", "lite"] = "large"
    """Whole 9x9 convolutions, or depthwise ones between 1x1 convolutions."""
    intracl: bool = False
    """Let every level see along rows and columns before the levels are joined, as PP-OCRv4's teacher does."""
