"""All augmentations by name, in the order they are applied in: family after family, each with a table of its own.

A name is also that of a stream of random numbers, so it occurs once in a table; renaming an augmentation makes it draw
others.
"""

from __future__ import annotations

from collections.abc import Mapping

from ppedge.data.augment import bending, color, concat, geometry, paste, view
from ppedge.data.augment.base import Augmentation, Line, Scene
from ppedge.recipe.train import DetAugment, RecAugment

LINES: Mapping[str, Augmentation[RecAugment, Line]] = {
    **concat.LINES,
    **bending.LINES,
    **geometry.LINES,
    **color.LINES,
}
"""Of recognisers and classifiers, which turn their lines afterwards, by the stream ``direction``."""
SCENES: Mapping[str, Augmentation[DetAugment, Scene]] = {**paste.SCENES, **view.SCENES, **color.SCENES}
"""Of detectors. Before ``view`` a picture and its regions are whole, after it they are what the network sees."""
