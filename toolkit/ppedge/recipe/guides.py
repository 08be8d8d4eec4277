"""The recipe's sections on guides: second heads, which only help a network while it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ppedge.recipe.parts import Form, Part


class LinearGuide(Part):
    """A guide of a recogniser: one linear layer from the columns of the backbone's features to the classes."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    name: Literal["LinearGuide"]
    at: Literal["backbone"] = "backbone"
    """What it reads."""
