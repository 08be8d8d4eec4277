"""Two transposed convolutions of stride 2 as two 1x1 convolutions at a quarter of the size, and one shuffle of pixels.

Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network", CVPR 2016.
"""

from __future__ import annotations

import numpy as np

PHASES = 4
"""Pixels (a, c) that a doubling makes of one, rows first; they lie side by side in channels."""
FACTOR = 4
"""How many times higher and wider the map is after both."""


def sub_pixel_filters(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the filters of two 1x1 convolutions that say what two transposed convolutions say.

    Pixel (a, c) of the first doubling becomes channels of its own, all four of them side by side; the second reads each
    four's channels alone and makes its own four pixels (e, f). What is added to each channel of the first doubling is
    ``np.tile(values, PHASES)`` now; an activation stays what it is.

    Args:
        first: Of the transposed convolution (C, M, 2, 2), of stride 2 without padding.
        second: Likewise (M, 1, 2, 2).

    Returns:
        Float32 arrays (4 M, C, 1, 1) and (16, 4 M, 1, 1), for a shuffle by `FACTOR`.
    """
    inputs, channels = first.shape[:2]
    spread = np.zeros((PHASES, channels, inputs), np.float32)
    joined = np.zeros((4, 4, PHASES, channels), np.float32)  # rows and columns of the 4x4 pixels, (a, c), channel
    for a in range(2):
        for c in range(2):
            spread[2 * a + c] = first[:, :, a, c].T
            joined[2 * a : 2 * a + 2, 2 * c : 2 * c + 2, 2 * a + c] = second[:, 0].transpose(1, 2, 0)
    return spread.reshape(PHASES * channels, inputs, 1, 1), joined.reshape(16, PHASES * channels, 1, 1)
