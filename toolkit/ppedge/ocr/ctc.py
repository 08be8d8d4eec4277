"""CTC's best path: from probabilities to text.

After Graves et al. 2006, "Connectionist Temporal Classification": the likeliest class of each step, repeats collapsed,
blanks dropped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ppedge.errors import PpedgeError
from ppedge.ocr.charset import BLANK, Charset


class Text(NamedTuple):
    """A line as read.

    Attributes:
        text: The characters; may be empty.
        score: Mean probability of the characters, 0 to 1; 0.0 for an empty text.
    """

    text: str
    score: float


def decode(probabilities: np.ndarray, charset: Charset) -> Text:
    """Decode one line.

    Args:
        probabilities: (T, C), float: for each step a distribution over the classes, softmax done; class 0 is the blank.
        charset: The characters of classes 1 on; ``charset.size`` is C.

    Raises:
        PpedgeError: C is not the character set's size.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != charset.size:
        raise PpedgeError(
            f"The recogniser gives probabilities of shape {probabilities.shape}, "
            f"the character set has {charset.size} classes.",
            "Use the character set that the recogniser was trained with.",
        )
    best = probabilities.argmax(axis=1)
    kept = best != BLANK
    kept[1:] &= best[1:] != best[:-1]
    if not kept.any():
        return Text("", 0.0)
    score = probabilities[kept, best[kept]].mean(dtype=np.float64)
    return Text(charset.decode(best[kept].tolist()), float(score))
