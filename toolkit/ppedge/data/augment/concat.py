"""Lines of several samples set side by side.

Source: Li et al., PP-OCRv3: More Attempts for the Improvement of Ultra Lightweight OCR System, 2022 (TextConAug).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from ppedge.data.augment.base import Augmentation, Line
from ppedge.recipe.train import RecAugment


def join_lines(line: Line, settings: RecAugment, rng: np.random.Generator, draw_other: Callable[[], Line]) -> Line:
    """Set other lines behind a line, at its height, until one would make it too long.

    Args:
        line: The first line.
        settings: How many others at most, and the limits in characters and in width to height.
        rng: Not read: the others are drawn with it.
        draw_other: Draws the next line.

    Returns:
        The lines in one picture (h, w, 3) of the first one's height, and their texts without a space between.
    """
    for _ in range(settings.concat_lines):
        other = draw_other()
        height = line.image.shape[0]
        width = max(1, round(other.image.shape[1] * height / other.image.shape[0]))
        too_wide = line.image.shape[1] + width > settings.concat_ratio * height
        if too_wide or len(line.text) + len(other.text) > settings.concat_characters:
            break
        resized = cv2.resize(other.image, (width, height), interpolation=cv2.INTER_LINEAR)
        line = Line(np.hstack([line.image, resized]), line.text + other.text)
    return line


LINES: Mapping[str, Augmentation[RecAugment, Line]] = {
    "concat": Augmentation(lambda settings: settings.concat, join_lines),
}
