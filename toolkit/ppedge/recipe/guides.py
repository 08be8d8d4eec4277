"""The recipe's sections on guides: second heads, which only help a network while it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from ppedge.recipe.parts import Form, Part


class GuidePart(Part):
    """A second head.

    Attributes:
        learns_from: The loss that holds it against the labels.
        results: What it gives, by which losses read it.
    """

    learns_from: ClassVar[str]
    results: ClassVar[tuple[str, ...]] = ("logits",)
    at: str
    """What it reads."""
    backbone_alone: bool = False
    """The backbone learns from the guide alone: no gradient comes back to it from the network's own neck and head."""


class LinearGuide(GuidePart):
    """A guide of a recogniser: one linear layer from the columns of the backbone's features to the classes."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    learns_from: ClassVar[str] = "CTC"
    name: Literal["LinearGuide"]
    at: Literal["backbone"] = "backbone"
    """What it reads."""


class AuxDBHead(GuidePart):
    """A guide of a detector: map heads on the finer levels of its neck, as PP-OCRv6 is trained with them."""

    takes: ClassVar[Form] = "pyramid"
    gives: ClassVar[Mapping[str, Form]] = {"det": "result"}
    learns_from: ClassVar[str] = "DB"
    results: ClassVar[tuple[str, ...]] = ("maps_p4", "maps_p3", "maps_p2")
    name: Literal["AuxDBHead"]
    at: Literal["neck.top_down"] = "neck.top_down"
    """What it reads: the levels of RepLKFPN, each added to the finer ones."""
    k: int = Field(50, ge=1)
    """Steepness of the differentiable step."""
    fix_nan: bool = False
    """Put 0 where the features of a map are no number."""


class Writer(GuidePart):
    """A guide of a recogniser that writes the text from left to right."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    at: Literal["backbone"] = "backbone"
    """What it reads."""
    backbone_alone: bool = True
    """The backbone learns from the guide alone: no gradient comes back to it from the network's own neck and head. So
    PP-OCRv3, v4 and v5 are trained; v6 is not."""
    max_text_length: int = Field(25, ge=3)
    """Characters that it writes, begin and end of the text included: longer training texts are left out."""


class SARHead(Writer):
    """A guide of a recogniser: Show, Attend and Read, as PP-OCRv3 is trained with it."""

    learns_from: ClassVar[str] = "SAR"
    name: Literal["SARHead"]
    enc_dim: int = Field(512, ge=1)
    """Channels of its encoder and decoder."""


class NRTRHead(Writer):
    """A guide of a recogniser: a transformer's decoder, as PP-OCRv4 is trained with it."""

    learns_from: ClassVar[str] = "NRTR"
    name: Literal["NRTRHead"]
    nrtr_dim: int = Field(384, ge=32, multiple_of=32)
    """Channels of its decoder."""
