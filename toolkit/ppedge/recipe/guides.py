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
    """

    learns_from: ClassVar[str]
    at: Literal["backbone"] = "backbone"
    """What it reads."""
    backbone_alone: bool = False
    """The backbone learns from the guide alone: no gradient comes back to it from the network's own neck and head."""


class LinearGuide(GuidePart):
    """A guide of a recogniser: one linear layer from the columns of the backbone's features to the classes."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    learns_from: ClassVar[str] = "CTC"
    name: Literal["LinearGuide"]


class Writer(GuidePart):
    """A guide of a recogniser that writes the text from left to right."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    backbone_alone: bool = True
    """The backbone learns from the guide alone: no gradient comes back to it from the network's own neck and head. So
    PP-OCRv3 and v4 are trained."""
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
