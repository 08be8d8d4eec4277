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
