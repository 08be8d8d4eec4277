"""The recipe's sections on heads, under the names PaddleOCR uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

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
    """One linear layer to the classes of the character set, blank first."""

    takes: ClassVar[Form] = "sequence"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    name: Literal["CTCHead"]


class ClsHead(Part):
    """The mean of the features and one linear layer to the two directions of a line."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"cls": "result"}
    name: Literal["ClsHead"]
