"""The branches of ``cost_sweep.py`` for what PP-OCRv5 and v6 bring, and for what rewrites make of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cost_branch import Branch, channels_of

_MAPS = ((10, 10), (20, 20), (40, 40), (80, 80), (12, 24), (48, 33), (6, 80), (12, 160), (64, 96), (7, 9))


def newest(random: np.random.Generator) -> Iterator[Branch]:
    """GELU and what stands for it, windows of 2x2, large depthwise kernels, and wide ones of one row."""
    acts = ("relu", "", "hard_swish")
    for k, (height, width) in enumerate(_MAPS):
        channels = channels_of(random, min(200, 60000 / (height * width) + 8))
        shape = (1, channels, height, width)
        for kind in ("larger", "mul", "neighbours"):
            yield Branch(shape, ((kind,),))
        for kind in ("clip", "gelu", "sigmoid", "scale"):
            yield Branch(shape, (("act", kind),))
        after = (("conv", 8, 1, 1, ""),) if acts[k % 3] else ()
        yield Branch(shape, (("dw", 7, 1, acts[k % 3]), *after))
        yield Branch(shape, (("dw", (1, 5 + k % 2 * 2), 1, acts[k % 3]), *after))
        first, last = channels_of(random, 48), channels_of(random, 48)
        if first * last * height * width < 2e6:
            yield Branch((1, first, height, width), (("conv", last, 2, 1, acts[k % 3]), *after))
    for channels, width in ((160, 80), (40, 33), (96, 120), (200, 24), (64, 40)):
        yield Branch((1, channels, 1, width), (("line",),))
