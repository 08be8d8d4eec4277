"""Labels of guides that write a text from left to right."""

from __future__ import annotations

import paddle
from paddle import Tensor


def framed(label: Tensor, length: Tensor, steps: int, *, shift: int, begin: int, end: int, pad: int) -> Tensor:
    """Return texts between a class for their begin and one for their end.

    Args:
        label: (N, L) classes as CTC counts them, from 1 on.
        length: (N,) how many of them count, at most ``steps - 2``.
        steps: Of the result.
        shift: What is added to a class.
        begin: The class before a text.
        end: The class after it.
        pad: The class of what follows.

    Returns:
        (N, steps), int64.
    """
    label, last = label.astype("int64"), length.astype("int64").unsqueeze(1) + 1
    place = paddle.arange(steps).unsqueeze(0)
    index = (place - 1).clip(0, label.shape[1] - 1).expand([label.shape[0], steps])
    classes = paddle.take_along_axis(label, index, axis=1) + shift
    classes = paddle.where(place == 0, paddle.full_like(classes, begin), classes)
    classes = paddle.where(place == last, paddle.full_like(classes, end), classes)
    return paddle.where(place > last, paddle.full_like(classes, pad), classes)
