"""The branches of ``cost_sweep.py``'s network, part by part: which layers, at which sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cost_branch import Branch, channels_of
from cost_newest import newest
from cost_rewritten import lines, rewritten

PARTS = ("small", "large", "more", "rare", "newer", "rewritten", "newest", "sequences")
ACTIVATIONS = ("", "relu", "hard_swish")
# Height and width of maps: those of detectors, of recognisers (low and wide), of classifiers.
MAPS = ((10, 10), (20, 20), (40, 40), (7, 7), (14, 14), (28, 28), (2, 80), (4, 80), (8, 80), (1, 1), (5, 9), (80, 80))
LARGEST = 1.6e6  # multiplications of a layer: beyond that, time grows and nothing new is learnt


def branches(precision: str, part: str = "small") -> list[Branch]:
    """Return the branches of a part; the same ones every time."""
    if part == "large":
        return [*_large(), *(_long() if precision == "fp32" else ())]
    if part == "more":
        return [*_strided(np.random.default_rng(11)), *(_transformers() if precision == "fp32" else ())]
    if part == "rare":
        return [*_rare(np.random.default_rng(13)), *(_rare_float() if precision == "fp32" else ())]
    if part == "newer":
        return [*_wide_windows(np.random.default_rng(17)), *(_poolings() if precision == "fp32" else ())]
    if part == "rewritten":
        return [*lines(np.random.default_rng(19)), *(rewritten() if precision == "fp32" else ())]
    if part == "newest":
        return list(newest(np.random.default_rng(23))) if precision == "fp32" else []
    if part == "sequences":
        return list(_sequences()) if precision == "fp32" else []
    random = np.random.default_rng(7)
    found = [*_pointwise(random, 36), *_dense(random, 22), *_depthwise(random, 44), *_transposed(random, 10)]
    found += [Branch((1, width), (("fc", classes),)) for width, classes in ((96, 68), (200, 10), (400, 90))]
    found += [Branch((1, 40, width), (("fc", classes),)) for width, classes in ((96, 97), (48, 300), (120, 37))]
    return found + (list(_others(random)) if precision == "fp32" else [])


def _sequences() -> Iterator[Branch]:
    """LSTMs over the columns of a map, which the rewrite of that name takes apart."""
    for channels, length, hidden, layers in ((288, 40, 48, 2), (96, 60, 16, 1), (480, 20, 64, 1), (64, 80, 24, 2),
                                             (160, 33, 96, 1), (40, 100, 40, 1), (200, 12, 128, 1), (24, 25, 8, 2),
                                             (512, 7, 32, 1), (120, 50, 80, 1), (72, 16, 56, 2),
                                             (320, 70, 20, 1)):  # fmt: skip
        yield Branch((1, channels, 1, length), (("lstm", hidden, layers),))


# The first of two layers always has an activation: opt would make one convolution of two, or die of trying.
def _pointwise(random: np.random.Generator, count: int) -> Iterator[Branch]:
    for k in range(count):
        height, width = MAPS[k % len(MAPS)]
        while True:
            first, middle, last = (channels_of(random, 512) for _ in range(3))
            if max(first, last) * middle * height * width < LARGEST:
                break
        acts = [ACTIVATIONS[random.integers(1, 3)], ACTIVATIONS[random.integers(3)]]
        layers = (("conv", middle, 1, 1, acts[0]), ("conv", last, 1, 1, acts[1]))
        yield Branch((1, first, height, width), layers)


def _dense(random: np.random.Generator, count: int) -> Iterator[Branch]:
    """3x3 convolutions at both strides, and a few of other sizes."""
    places = [place for place in (*MAPS, (12, 30), (16, 16)) if place != (1, 1)]
    for k in range(count):
        height, width = places[k % len(places)]
        strides = ((1, 1), (1, 2), (2, 1), (1, 1))[k % 4]
        while True:
            first, middle, last = (channels_of(random, 160) for _ in range(3))
            if 9 * max(first, last) * middle * height * width < 2 * LARGEST:
                break
        size = 5 if k % 11 == 10 else 3
        acts = [ACTIVATIONS[random.integers(1, 3)], ACTIVATIONS[random.integers(3)]]
        layers = [("conv", width_, size, s, act) for width_, s, act in zip((middle, last), strides, acts, strict=True)]
        yield Branch((1, first, height, width), tuple(layers))
    for side, channels in ((32, 8), (64, 16), (48, 12), (80, 8)):  # a picture's three channels
        yield Branch((1, 3, side, side), (("conv", channels, 3, 2, "hard_swish"), ("conv", channels, 1, 1, "")))


def _depthwise(random: np.random.Generator, count: int) -> Iterator[Branch]:
    places = [place for place in (*MAPS, (16, 16), (56, 56)) if place != (1, 1)]
    strides = ((1, 1), (1, 2), (2, 1), ((2, 1), 1))
    for k in range(count):
        height, width = places[k % len(places)]
        channels = max(channels_of(random, min(400, 120000 / (height * width) + 8)), 1)
        size = (3, 5)[k // 4 % 2]
        acts = ("relu", "hard_swish") if k % 3 else ("hard_swish", "")
        layers = [("dw", size, s, act) for s, act in zip(strides[k % 4], acts, strict=True)]
        yield Branch((1, channels, height, width), tuple(layers))


def _transposed(random: np.random.Generator, count: int) -> Iterator[Branch]:
    for k in range(count):
        side = (8, 16, 20, 40)[k % 4]
        last = 1 if k % 3 == 0 else channels_of(random, 64)
        yield Branch((1, channels_of(random, 96), side, side + k % 5 * 4), (("up", last), ("norm",), ("act", "relu")))


def _others(random: np.random.Generator) -> Iterator[Branch]:
    """What computes in float whatever the network does."""
    for height, width in ((40, 40), (10, 10), (20, 33), (8, 80), (80, 80), (1, 1)):
        channels = channels_of(random, 60)
        shape = (1, channels, height, width)
        kinds = ("relu", "hard_swish", "sigmoid", "hard_sigmoid", "softmax", "scale")
        for kind in kinds:
            yield Branch(shape, (("act", kind),))
        for kind in ("add", "add_channel", "mul_channel", "norm", "mean", "concat", "add_relu"):
            yield Branch(shape, ((kind,),))
    for height, width, factor in ((10, 10, 2), (20, 20, 4), (10, 10, 8), (40, 40, 2), (12, 9, 2)):
        yield Branch((1, channels_of(random, 40), height, width), (("nearest", factor),))
    yield Branch((1, 1, 80, 80), (("act", "sigmoid"),))
    yield Branch((1, 1, 80, 96), (("add_channel",),))
    for channels, height, width in ((24, 2, 80), (64, 2, 40), (16, 8, 20), (40, 14, 14)):
        yield Branch((1, channels, height, width), (("max", 2),))
    for length, channels in ((80, 96), (40, 64), (20, 288), (33, 17)):
        yield Branch((1, channels, 1, length), (("sequence",),))
    for length, channels, hidden, layers in ((20, 96, 48, 1), (10, 64, 32, 2), (12, 40, 16, 1), (6, 200, 64, 1)):
        yield Branch((1, length, channels), (("lstm", hidden, layers),))
    for length, classes in ((40, 97), (80, 37), (10, 1000)):
        yield Branch((1, length, classes), (("act", "softmax"),))


def _large() -> Iterator[Branch]:
    """Few layers of the size that big maps have: small ones alone do not tell what a tile costs."""
    for inputs, outputs, height, width in (
        (64, 32, 48, 48),
        (96, 48, 24, 24),
        (40, 24, 64, 80),
        (128, 16, 30, 30),
        (16, 96, 36, 36),
        (24, 24, 80, 80),
    ):
        yield Branch((1, inputs, height, width), (("conv", outputs, 3, 1, "relu"), ("conv", 8, 1, 1, "")))
    for inputs, outputs, side in ((3, 8, 160), (3, 16, 128), (3, 12, 100), (16, 24, 80), (8, 16, 96)):
        yield Branch((1, inputs, side, side), (("conv", outputs, 3, 2, "hard_swish"), ("conv", 8, 1, 1, "")))
    for inputs, outputs, side in ((24, 24, 48), (64, 1, 80), (96, 24, 40), (32, 8, 64)):
        yield Branch((1, inputs, side, side), (("up", outputs),))
    for channels, side, size in ((32, 64, 3), (48, 48, 5), (24, 80, 5), (64, 40, 3)):
        yield Branch((1, channels, side, side), (("dw", size, 2, "relu"), ("conv", 8, 1, 1, "")))


def _long() -> Iterator[Branch]:
    for length, channels, hidden, layers in ((40, 288, 48, 1), (24, 480, 48, 1), (40, 64, 24, 2), (60, 16, 16, 1),
                                             (7, 288, 96, 1), (16, 96, 48, 1), (80, 96, 48, 1)):  # fmt: skip
        yield Branch((1, length, channels), (("lstm", hidden, layers),))
    for channels, height, width in ((96, 2, 160), (200, 2, 80), (64, 4, 100)):
        yield Branch((1, channels, height, width), (("max", 2),))
    for channels, height, width, factor in ((16, 20, 20, 4), (16, 32, 48, 4), (16, 80, 80, 4), (32, 10, 14, 4),
                                            (4, 40, 40, 2), (24, 16, 20, 2)):  # fmt: skip
        yield Branch((1, channels, height, width), (("shuffle", factor),))
    for channels, height, width in ((96, 4, 160), (40, 16, 100), (32, 8, 160), (200, 4, 60), (24, 12, 33)):
        yield Branch((1, channels, height, width), (("dw", 3, 1, "relu"), ("rows",), ("act", "hard_swish")))


def _strided(random: np.random.Generator) -> Iterator[Branch]:
    """More of what has a way of its own for each residue of its sides: windows that move by 2, and 3x3."""
    sides = ((20, 20), (33, 47), (40, 40), (8, 160), (14, 14), (64, 96), (7, 30), (160, 128), (28, 28), (56, 50),
             (112, 112), (10, 23))  # fmt: skip
    for k in range(24):
        height, width = sides[k % len(sides)]
        while True:
            first, last = 3 if k % 6 == 5 else channels_of(random, 128), channels_of(random, 160)
            if 9 * first * last * height * width < 4 * 3e6:
                break
        alone = Branch((1, first, height, width), (("conv", last, 3, 2, ("relu", "hard_swish", "")[k % 3]),))
        followed = (("conv", last, 3, 2, ("relu", "hard_swish")[k % 2]), ("conv", 8, 1, 1, ""))
        yield alone if k % 4 == 0 else Branch((1, first, height, width), followed)
    for k in range(32):
        height, width = sides[(k + k // 12) % len(sides)]
        channels = channels_of(random, min(400, 150000 / (height * width) + 8))
        act = ("relu", "hard_swish", "")[k % 3]
        after = (("conv", 8, 1, 1, ""),) if act and k % 4 else ()
        yield Branch((1, channels, height, width), (("dw", (3, 5)[k % 2], 2 - k // 24, act), *after))
    for k in range(16):
        height, width = sides[(5 * k) % len(sides)]
        while True:
            first, last = channels_of(random, 128), channels_of(random, 128)
            if 9 * first * last * height * width < 5e6:
                break
        act = ("relu", "")[k % 2]
        after = (("conv", 8, 1, 1, ""),) if act else ()
        yield Branch((1, first, height, width), (("conv", last, 3, 1, act), *after))
    for k in range(24):  # strides that differ: a general way
        height, width = ((4, 80), (8, 100), (16, 120), (6, 33), (12, 48), (24, 160), (5, 24))[k % 7]
        channels = channels_of(random, min(160, 50000 / (height * width) + 8))
        act = ("relu", "hard_swish", "")[k % 3]
        after = (("conv", 8, 1, 1, ""),) if act and k % 4 else ()
        stride = (1, 2) if k % 4 == 3 else (2, 1)
        yield Branch((1, channels, height, width), (("dw", (3, 5)[k % 2], stride, act), *after))
    for first, last, height, width in ((16, 64, 96, 112), (24, 88, 64, 64), (72, 24, 60, 72), (264, 80, 20, 22),
                                       (88, 440, 12, 14), (416, 56, 14, 20), (480, 512, 7, 7)):  # fmt: skip
        yield Branch((1, first, height, width), (("conv", last, 1, 1, "relu"), ("conv", first // 2, 1, 1, "")))


def _transformers() -> Iterator[Branch]:
    """What recognisers without an LSTM are made of, and networks that scale by one number after each layer."""
    for length, channels, heads, wide in ((24, 64, 4, 128), (33, 96, 8, 192), (60, 48, 6, 100), (50, 144, 6, 288),
                                          (16, 200, 8, 512), (80, 64, 8, 96)):  # fmt: skip
        yield Branch((1, length, channels), (("attention", heads, wide),))
    for channels, length, last in ((64, 24, 48), (144, 50, 40), (200, 33, 64), (96, 80, 24)):
        yield Branch((1, channels, 1, length), (("lines",), ("conv", last, (1, 3), 1, ""), ("act", "swish")))
    for length, channels, classes in ((24, 64, 900), (50, 144, 300), (33, 96, 4000), (80, 200, 120), (10, 48, 36)):
        yield Branch((1, length, channels), (("fc", classes), ("act", "softmax")))
    for channels, height, width in ((12, 64, 80), (40, 20, 24), (100, 10, 10), (24, 12, 100), (16, 33, 7), (288, 5, 5)):
        yield Branch((1, channels, height, width), (("affine",),))
        yield Branch((1, channels, height, width), (("act", "swish"),))
        yield Branch((1, channels, height, width), (("act", "relu6"),))
    for channels, height, width in ((40, 3, 60), (144, 3, 100), (64, 6, 33)):
        yield Branch((1, channels, height, width), (("average", (3, 2)),))


def _rare(random: np.random.Generator) -> Iterator[Branch]:
    """More of what the other parts have two or three points of."""
    acts = ("relu", "hard_swish", "")
    for k, (height, width) in enumerate(((80, 80), (14, 14), (2, 160), (33, 20), (48, 48), (8, 100), (20, 20), (7, 9))):
        first = channels_of(random, 96)
        yield Branch((1, 8, height, width), (("conv", first, 1, 1, "relu"), ("conv", 1 + k % 4, 1, 1, acts[k % 3])))
    for width, classes in ((48, 500), (320, 24), (160, 160), (576, 2)):
        yield Branch((1, width), (("fc", classes),))
    for length, width, classes in ((24, 64, 80), (80, 288, 64), (12, 120, 500), (33, 40, 16)):
        yield Branch((1, length, width), (("fc", classes),))
    for k, (height, width) in enumerate(((7, 7), (10, 10), (9, 12), (1, 40), (3, 30), (6, 14), (11, 11), (5, 9),
                                         (2, 20), (8, 8), (4, 24), (10, 12))):  # fmt: skip
        first, last, act = channels_of(random, 160), channels_of(random, 120), acts[k % 3]
        after = (("conv", 8, 1, 1, ""),) if act and k % 2 else ()
        yield Branch((1, first, height, width), (("conv", last, 3, 1, act), *after))
    for k, (height, width) in enumerate(((10, 10), (14, 14), (8, 40), (20, 20), (40, 40), (7, 30), (28, 28), (6, 80))):
        first, last = channels_of(random, 40), channels_of(random, 64)
        stride, act = 1 + k % 2, acts[k % 3]
        after = (("conv", 8, 1, 1, ""),) if act and k % 4 else ()
        yield Branch((1, first, height, width), (("conv", last, 5, stride, act), *after))
        if stride == 2:  # more channels than values: a 3x3 that copies its windows out
            wide = 8 + 4 * height * width // last
            if wide <= 480:
                yield Branch((1, wide, height, width), (("conv", last, 3, 2, act), *after))
    for inputs, first, last in ((96, 24, 96), (480, 120, 480), (16, 8, 16), (240, 64, 240)):
        yield Branch((1, inputs, 1, 1), (("conv", first, 1, 1, "relu"), ("conv", last, 1, 1, "")))
    for inputs, height, width in ((12, 24, 40), (48, 60, 64), (20, 96, 96)):
        yield Branch((1, inputs, height, width), (("up", 1),))


def _rare_float() -> Iterator[Branch]:
    for channels, height, width in ((24, 20, 24), (96, 14, 14), (16, 64, 64), (48, 2, 100), (120, 2, 24)):
        yield Branch((1, channels, height, width), (("max", 2),))
    for channels, height, width, factor in ((16, 48, 40, 4), (64, 12, 14, 4), (12, 24, 24, 2), (16, 64, 64, 4)):
        yield Branch((1, channels, height, width), (("shuffle", factor),))
    for length, channels in ((64, 48), (25, 128), (100, 24), (50, 400)):
        yield Branch((1, channels, 1, length), (("sequence",),))
    for length, channels, heads, wide in ((48, 72, 6, 150), (20, 128, 8, 256), (70, 32, 4, 64), (40, 160, 10, 320)):
        yield Branch((1, length, channels), (("attention", heads, wide),))
    for channels, height, width in ((96, 3, 48), (200, 3, 30), (24, 6, 60)):
        yield Branch((1, channels, height, width), (("average", (3, 2)),))


def _wide_windows(random: np.random.Generator) -> Iterator[Branch]:
    """Depthwise convolutions of 9x9, as LKPAN's light form has them."""
    acts = ("relu", "hard_swish", "")
    for k, (height, width) in enumerate(((10, 10), (20, 20), (40, 40), (14, 14), (28, 28), (9, 30), (64, 80), (33, 20),
                                         (48, 48), (12, 7), (80, 80), (24, 100))):  # fmt: skip
        channels, act = channels_of(random, min(120, 60000 / (height * width) + 8)), acts[k % 3]
        after = (("conv", 8, 1, 1, ""),) if act and k % 2 else ()
        yield Branch((1, channels, height, width), (("dw", 9, 1, act), *after))


def _poolings() -> Iterator[Branch]:
    """Poolings of ResNet's shortcuts and stem, and of PP-OCRv3's recogniser, which leaves a row of three out."""
    for channels, height, width in ((64, 40, 40), (24, 20, 24), (96, 14, 14), (16, 80, 80), (48, 10, 30), (128, 28, 22),
                                    (32, 6, 100), (96, 3, 80), (200, 3, 48), (64, 3, 34), (160, 3, 120), (320, 3, 60),
                                    (40, 12, 26), (72, 20, 20), (16, 48, 64), (56, 24, 36)):  # fmt: skip
        yield Branch((1, channels, height, width), (("average", (2, 2)),))
    for channels, height, width in ((24, 2, 100), (120, 2, 40), (64, 2, 34), (200, 2, 60), (128, 6, 6), (64, 8, 8),
                                    (40, 20, 6), (40, 6, 20), (96, 4, 4), (64, 7, 7)):  # fmt: skip
        yield Branch((1, channels, height, width), (("average", (2, 2)),))
    for channels, height, width in ((64, 40, 40), (16, 160, 160), (32, 64, 96), (96, 28, 28), (48, 20, 24),
                                    (24, 80, 80), (8, 128, 100), (40, 14, 14), (20, 56, 72), (16, 96, 44)):  # fmt: skip
        yield Branch((1, channels, height, width), (("max", 3, 2, 1),))
    for size in ((2,), (3, 2, 1)):
        for channels, height, width in ((64, 6, 6), (96, 8, 8), (48, 20, 6), (32, 4, 20)):
            yield Branch((1, channels, height, width), (("max", *size),))
