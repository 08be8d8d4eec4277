"""What every part of a network's section is.

Each part declares what it takes and what it gives, so that what fits what is said here alone:

- ``picture``: (N, 3, H, W);
- ``pyramid``: maps of 1/4, 1/8, 1/16 and 1/32 of the picture's size, finest first;
- ``map``: (N, C, H / 4, W / 4);
- ``row``: (N, C, 1, T), T columns along a text line;
- ``sequence``: (N, T, C);
- ``result``: what a network of the task ends with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ppedge.recipe.base import Section

Form = Literal["picture", "pyramid", "map", "row", "sequence", "result"]


class Part(Section):
    """A part of a network.

    Attributes:
        takes: The form of what it is given.
        gives: The form of what it gives, by each task that it can serve.
        within: The forms of what passes inside it that guides may read, by the name of the layer that gives it.
    """

    takes: ClassVar[Form]
    gives: ClassVar[Mapping[str, Form]]
    within: ClassVar[Mapping[str, Form]] = {}
    name: str
