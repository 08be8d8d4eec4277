"""The part ``rewritten`` of ``cost_sweep.py``: what networks brought in have, and what exact rewrites make of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cost_branch import Branch, channels_of


def lines(random: np.random.Generator) -> Iterator[Branch]:
    """Windows that are copied out, of one row, of 5x5 and of 9x9, and products of few rows or columns."""
    acts = ("relu", "hard_swish", "")
    for k, (height, width) in enumerate(((1, 40), (1, 80), (1, 33), (3, 60), (1, 100), (2, 48), (1, 50), (1, 120),
                                         (1, 64), (1, 25), (4, 30), (1, 90), (8, 20), (1, 70), (6, 45), (1, 160),
                                         (5, 33), (2, 80), (1, 48), (3, 100), (1, 29), (12, 16))):  # fmt: skip
        act, first = acts[k % 3], 60 * (k - 4) if 6 <= k < 12 else channels_of(random, 200)
        after = (("conv", 8, 1, 1, ""),) if act and k % 2 else ()
        layer = ("conv", channels_of(random, 120), (3, 1) if k % 7 == 3 else (1, 3), 1, act)
        yield Branch((1, first, height, width), (layer, *after))
    for k, (height, width) in enumerate(((12, 12), (20, 24), (9, 40), (32, 32), (6, 100), (17, 23), (44, 30), (24, 16),
                                         (15, 20), (28, 12), (10, 10), (36, 48), (21, 33), (8, 64))):  # fmt: skip
        act = acts[k % 3]
        after = (("conv", 8, 1, 1, ""),) if act and k % 2 else ()
        layer = ("conv", channels_of(random, 48), 5, 1 + k // 2 % 2, act)
        yield Branch((1, channels_of(random, 32), height, width), (layer, *after))
    for k, (height, width) in enumerate(((16, 16), (8, 40), (36, 20), (56, 56), (11, 13), (20, 50), (32, 72),
                                         (40, 12))):  # fmt: skip
        channels, act = channels_of(random, min(96, 50000 / (height * width) + 8)), acts[k % 3]
        after = (("conv", 8, 1, 1, ""),) if act and k % 2 else ()
        yield Branch((1, channels, height, width), (("dw", 9, 1, act), *after))
    for k, (channels, height, width) in enumerate(((24, 40, 40), (64, 12, 14), (16, 64, 80), (96, 7, 20), (48, 24, 30),
                                                   (8, 96, 96))):  # fmt: skip
        act = acts[k % 3]
        yield Branch((1, channels, height, width), (("conv", 1, 1, 1, act),))
    for length, width, classes in ((40, 64, 192), (80, 120, 360), (25, 120, 240), (60, 240, 120), (40, 64, 6625),
                                   (16, 192, 64)):  # fmt: skip
        yield Branch((1, length, width), (("fc", classes),))


def rewritten() -> Iterator[Branch]:
    """What exact rewrites put in the place of dear operators, and what they are chosen among; networks brought in."""
    maps = ((12, 24, 80), (64, 6, 60), (32, 12, 33), (120, 3, 48), (8, 40, 40), (240, 2, 80))
    for channels, height, width in maps:
        shape = (1, channels, height, width)
        yield Branch(shape, (("every second", 2),))
        yield Branch(shape, (("every second", 3),))
        yield Branch(shape, (("max", 1, (1, 2)),))
        yield Branch(shape, (("max", 1, (2, 1)),))
        for kind in ("affine", "scale_channel", "add_channel", "mul_channel", "mul"):
            yield Branch(shape, ((kind,),))
        for kind in ("gelu", "tanh", "leaky_relu"):
            yield Branch(shape, (("act", kind),))
        yield Branch(shape, (("bilinear", 2),))
        yield Branch(shape, (("split", 1, 2),))
    for channels, height, width, axis, parts in ((16, 24, 40, 2, 2), (40, 12, 60, 3, 2), (24, 10, 80, 3, 40),
                                                 (96, 3, 64, 2, 3), (64, 6, 48, 3, 24),
                                                 (30, 20, 20, 1, 3)):  # fmt: skip
        yield Branch((1, channels, height, width), (("split", axis, parts),))
    for channels, height, width in ((32, 40, 40), (64, 20, 24), (16, 80, 80), (128, 10, 12), (48, 3, 60), (24, 7, 9)):
        yield Branch((1, channels, height, width), (("max", 2, 1),))
    for channels, height, width in ((64, 3, 80), (120, 3, 40), (240, 3, 33), (48, 6, 80), (32, 9, 44), (96, 12, 50)):
        yield Branch((1, channels, height, width), (("average", (3, 2)),))
        yield Branch((1, channels, height, width), (("average", (2, 1)),))
    for channels, height, width in ((32, 20, 24), (64, 7, 9), (16, 48, 44), (96, 14, 14), (24, 32, 80), (40, 12, 30),
                                    (8, 64, 66), (128, 6, 11), (20, 28, 28), (48, 9, 100), (12, 40, 53), (72, 17, 13),
                                    (16, 24, 47), (56, 10, 37), (30, 21, 64)):  # fmt: skip
        for kind, stride in (("max", 1), ("average", 1), ("average", 2)):
            yield Branch((1, channels, height, width), ((kind, 3, stride, 1),))
        yield Branch((1, channels, height, width), (("max", 1, 2),))
    for channels, height, width, factor in ((16, 24, 24, 4), (16, 96, 64, 4), (64, 20, 20, 4), (8, 30, 33, 2),
                                            (4, 80, 80, 2), (48, 9, 11, 2), (16, 40, 72, 4),
                                            (4, 160, 160, 2)):  # fmt: skip
        yield Branch((1, channels, height, width), (("shuffle", factor),))
    for channels, height, width in ((24, 20, 20), (96, 10, 12), (16, 40, 40), (64, 7, 9), (8, 48, 80), (32, 14, 30),
                                    (48, 5, 25), (24, 33, 18), (12, 80, 64), (40, 12, 44)):  # fmt: skip
        yield Branch((1, channels, height, width), (("double",),))
        yield Branch((1, channels, height, width), (("repeat", 4 if width % 3 else 16),))
