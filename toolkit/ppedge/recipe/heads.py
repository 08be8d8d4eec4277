"""The recipe's sections on heads, under the names PaddleOCR uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from ppedge.recipe.base import Section
from ppedge.recipe.parts import Form, Part


class DBHead(Part):
    """Differentiable binarization: probability and threshold maps."""

    takes: ClassVar[Form] = "map"
    gives: ClassVar[Mapping[str, Form]] = {"det": "result"}
    name: Literal["DBHead"]
    k: int = Field(50, ge=1)
    """Steepness of the differentiable step."""
    kernel_list: tuple[Literal[1, 3, 5, 7, 9], Literal[2], Literal[2]] = (3, 2, 2)
    """Kernels of each map's three convolutions, of which the last two double the size."""
    fix_nan: bool = False
    """In training, put 0 where the features of a map are no number."""


class PFHeadLocal(Part):
    """DB's head, whose probability map is refined by the features it comes from; the mean of both maps ships."""

    takes: ClassVar[Form] = "map"
    gives: ClassVar[Mapping[str, Form]] = {"det": "result"}
    name: Literal["PFHeadLocal"]
    k: int = Field(50, ge=1)
    """Steepness of the differentiable step."""
    mode: Literal["large", "small"] = "small"
    """Channels of the refinement: as many as the features have, or half as many."""


class CTCHead(Part):
    """One linear layer to the classes of the character set, blank first; or two."""

    takes: ClassVar[Form] = "sequence"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    name: Literal["CTCHead"]
    mid_channels: int | None = Field(None, ge=1)
    """What the first of two layers gives; without it there is one layer. PP-OCRv2 has 96."""


class SVTR(Section):
    """The sequence model in a ``MultiHead``: attention over the columns of the backbone's features."""

    name: Literal["SVTR"]
    dims: int = Field(64, ge=1)
    """Channels that it gives; PP-OCRv4 has 120."""
    depth: int = Field(2, ge=1)
    """How many blocks of attention."""
    hidden_dims: int = Field(120, ge=8, multiple_of=8)
    """Channels within the blocks, for 8 heads of attention."""
    kernel_size: tuple[int, int] = (3, 3)
    """Height and width of the first and the last convolution; PP-OCRv4 has [1, 3]."""

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, sides: tuple[int, int]) -> tuple[int, int]:
        if any(side < 1 or side % 2 == 0 for side in sides):
            raise ValueError("must be odd")
        return sides


class LightSVTR(Section):
    """The sequence model of PP-OCRv6's small recogniser, in a ``MultiHead``: attention over columns, and past it."""

    name: Literal["LightSVTR"]
    dims: int = Field(120, ge=8, multiple_of=8)
    """Channels within and of what it gives, for 8 heads of attention."""
    depth: int = Field(2, ge=1)
    """How many blocks of attention."""
    mlp_ratio: float = Field(2.0, gt=0)
    """Hidden channels of a block's linear layers, as a multiple of ``dims``."""
    local_kernel: int = Field(7, ge=1)
    """Columns that the convolution sees, odd."""

    @field_validator("local_kernel")
    @classmethod
    def _odd(cls, side: int) -> int:
        if side % 2 == 0:
            raise ValueError("must be odd")
        return side


class Reshape(Section):
    """No sequence model in a ``MultiHead``: the columns of the backbone's features, as PP-OCRv6's tiny has them."""

    name: Literal["Reshape"]


class MultiHead(Part):
    """What ships of MultiHead, of PP-OCRv3 to v6: a sequence model and CTC's linear layers, without ``model.neck``.

    Its guides stand under ``train.guides``.
    """

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    name: Literal["MultiHead"]
    neck: Annotated[SVTR | LightSVTR | Reshape, Field(discriminator="name")] = SVTR(name="SVTR")
    """The sequence model."""
    mid_channels: int | None = Field(None, ge=1)
    """What the first of CTC's two linear layers gives; without it there is one layer. PP-OCRv6's tiny has 80."""
    use_guide: bool = False
    """Two convolutions along the columns before CTC's linear layers, as PP-OCRv6's tiny has them under that name."""


class ClsHead(Part):
    """The mean of the features and one linear layer to the two directions of a line."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"cls": "result"}
    name: Literal["ClsHead"]
