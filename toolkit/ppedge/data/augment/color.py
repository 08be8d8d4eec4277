"""Changes of a picture's pixels where they are: colour, blur, noise and the negative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from ppedge.data.augment.base import Augmentation, Line, Picture, Scene, of_picture
from ppedge.recipe.train import DetAugment, RecAugment


def jitter_color(image: Picture, rng: np.random.Generator, strength: float) -> Picture:
    """Change brightness, contrast, saturation and (half as much) colour balance by factors within 1 +- ``strength``."""
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    balance = rng.uniform(1 - strength / 2, 1 + strength / 2, 3)
    mean = float(image.mean())
    levels = (np.arange(256, dtype=np.float64) - mean) * contrast + mean
    table = np.clip(levels[:, None] * (brightness * balance), 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[None])
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(image, saturation, gray, 1 - saturation, 0)


def blur(image: Picture, rng: np.random.Generator, strength: float = 0.04) -> Picture:
    """Blur a line by a Gaussian whose standard deviation is up to ``strength`` times the height."""
    sigma = rng.uniform(0.3, 1.0) * strength * min(image.shape[:2])
    return cv2.GaussianBlur(image, (0, 0), max(sigma, 0.1))


def add_noise(image: Picture, rng: np.random.Generator, strength: float = 16.0) -> Picture:
    """Add Gaussian noise with a standard deviation of up to ``strength`` grey levels."""
    noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(0.1, 1.0) * strength
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def reverse(image: Picture, rng: np.random.Generator) -> Picture:
    """Return the negative."""
    return cv2.bitwise_not(image)


def _color(scene: Scene, settings: DetAugment, rng: np.random.Generator, draw_other: Callable[[], Scene]) -> Scene:
    return replace(scene, image=jitter_color(scene.image, rng, settings.color))


LINES: Mapping[str, Augmentation[RecAugment, Line]] = {
    "blur": Augmentation(lambda settings: settings.blur, of_picture(blur)),
    "noise": Augmentation(lambda settings: settings.noise, of_picture(add_noise)),
    "color": Augmentation(lambda settings: settings.color, of_picture(partial(jitter_color, strength=0.4))),
    "reverse": Augmentation(lambda settings: settings.reverse, of_picture(reverse)),
}
SCENES: Mapping[str, Augmentation[DetAugment, Scene]] = {
    "color": Augmentation(lambda settings: float(settings.color > 0), _color),
}
