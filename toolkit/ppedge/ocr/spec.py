"""The constants of pre- and post-processing, as data.

A recipe sets them, training's evaluation and every later stage use them, a convert stage writes them beside the
models, and the phone reads them from there. No constant is typed twice. Field names follow PaddleOCR's where it has
one.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from ppedge.errors import shown

# Read by pydantic, which recipes are made of: an unknown key in one of these sections is an error.
_STRICT = {"extra": "forbid"}
_NEEDED = {
    "det": ("det_preprocess", "det_postprocess"),
    "rec": ("rec_preprocess", "characters"),
    "cls": ("cls_preprocess", "cls_postprocess"),
}

MOST_SIDE = 8192
"""Pixels of a side of what a network is given: two such sides take 800 MB, and none in use comes near."""


def _positive(section: Any, *names: str) -> None:
    for name in names:
        if not getattr(section, name) > 0:
            raise ValueError(f"{name} must be above 0, not {shown(getattr(section, name))}")


def _sides(section: Any, *names: str) -> None:
    _positive(section, *names)
    for name in names:
        if getattr(section, name) > MOST_SIDE:
            raise ValueError(f"{name} must be at most {MOST_SIDE} pixels, not {shown(getattr(section, name))}")


def _finite(*values: float) -> None:
    if not all(math.isfinite(value) for value in values):
        raise ValueError("values must be finite numbers")


@dataclass(frozen=True)
class DetPreprocess:
    """How a picture becomes the detector's input.

    Attributes:
        limit_side: The length in pixels that ``limit_type`` speaks of.
        limit_type: ``min``: enlarge until the shorter side is at least ``limit_side``; ``max``: shrink until the
            longer side is at most ``limit_side``.
        max_side: Upper bound in pixels of the longer side after that, whatever the picture's shape.
        multiple: Both sides are rounded to a multiple of this many pixels (at least one multiple).
        mean: Per channel, of x / 255, in the picture's BGR order.
        std: Likewise.
    """

    __pydantic_config__ = _STRICT

    limit_side: int = 736
    limit_type: Literal["min", "max"] = "min"
    max_side: int = 4000
    multiple: int = 32
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        """Refuse values that no picture can be prepared by."""
        _sides(self, "limit_side", "max_side", "multiple")
        if self.multiple % 32:
            raise ValueError(f"multiple must be a multiple of 32, the network's coarsest step, not {self.multiple}")
        _finite(*self.mean, *self.std)
        if min(self.std) <= 0:
            raise ValueError("std must be above 0")


@dataclass(frozen=True)
class RecPreprocess:
    """How a text line's crop becomes the recogniser's input.

    Attributes:
        height: Of the input, in pixels.
        min_width: A narrower line is padded on the right to this width, after normalising, with 0.
        max_width: A wider line is squeezed to this width.
        mean: Of x / 255, for all channels.
        std: Likewise.
    """

    __pydantic_config__ = _STRICT

    height: int = 32
    min_width: int = 320
    max_width: int = 2560
    mean: float = 0.5
    std: float = 0.5

    def __post_init__(self) -> None:
        """Refuse values that no line can be prepared by."""
        _sides(self, "height", "min_width", "max_width")
        _positive(self, "std")
        _finite(self.mean, self.std)


@dataclass(frozen=True)
class ClsPreprocess:
    """How a text line's crop becomes the direction classifier's input.

    Attributes:
        height: Of the input, in pixels.
        width: Of the input, in pixels: a narrower line is padded on the right, after normalising, with 0; a wider one
            is squeezed.
        mean: Of x / 255, for all channels.
        std: Likewise.
    """

    __pydantic_config__ = _STRICT

    height: int = 48
    width: int = 192
    mean: float = 0.5
    std: float = 0.5

    def __post_init__(self) -> None:
        """Refuse values that no line can be prepared by."""
        _sides(self, "height", "width")
        _positive(self, "std")
        _finite(self.mean, self.std)


@dataclass(frozen=True)
class DbPostprocess:
    """How DB's probability map becomes boxes.

    Attributes:
        thresh: A pixel above this is text.
        box_thresh: A box whose mean probability is below this is dropped.
        max_candidates: At most this many contours are looked at.
        unclip_ratio: A box grows by area x ratio / perimeter.
        min_side: A box whose shorter side is below this many pixels of the map is dropped before it grows; after it,
            below two more.
        dilation: Dilate the binary map with a 2x2 kernel first.
        score_mode: ``fast``: mean probability inside the minimum-area rectangle; ``slow``: inside the contour.
    """

    __pydantic_config__ = _STRICT

    thresh: float = 0.3
    box_thresh: float = 0.6
    max_candidates: int = 1000
    unclip_ratio: float = 1.5
    min_side: int = 3
    dilation: bool = False
    score_mode: Literal["fast", "slow"] = "fast"

    def __post_init__(self) -> None:
        """Refuse values that no map can be read by."""
        _positive(self, "max_candidates", "unclip_ratio", "min_side")
        _finite(self.thresh, self.box_thresh, self.unclip_ratio)

    def unusual(self) -> dict[str, float | str | bool]:
        """Return the values that are not the usual ones, by name."""
        usual = asdict(DbPostprocess())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


@dataclass(frozen=True)
class ClsPostprocess:
    """What follows from a line's direction.

    Attributes:
        turn_score: A line is turned by 180 degrees if the probability that it is upside down is above this.
    """

    __pydantic_config__ = _STRICT

    turn_score: float = 0.9

    def __post_init__(self) -> None:
        """Refuse values that are no probabilities; below one half, lines that are rather upright would be turned."""
        if not 0.5 <= self.turn_score <= 1:
            raise ValueError(f"turn_score must be between 0.5 and 1, not {self.turn_score}")


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to use an exported model beside its file.

    Attributes:
        task: ``det``, ``rec`` or ``cls``.
        det_preprocess: Set for a detector.
        det_postprocess: Set for a detector.
        rec_preprocess: Set for a recogniser.
        characters: A recogniser's classes after the blank (class 0), in order; else empty.
        cls_preprocess: Set for a direction classifier.
        cls_postprocess: Set for a direction classifier.
    """

    __pydantic_config__ = _STRICT

    task: Literal["det", "rec", "cls"]
    det_preprocess: DetPreprocess | None = None
    det_postprocess: DbPostprocess | None = None
    rec_preprocess: RecPreprocess | None = None
    characters: tuple[str, ...] = field(default=())
    cls_preprocess: ClsPreprocess | None = None
    cls_postprocess: ClsPostprocess | None = None

    def with_box_thresh(self, value: float) -> ModelSpec:
        """Return a detector's specification with another ``box_thresh``, 0 to 1."""
        assert self.det_postprocess is not None
        return replace(self, det_postprocess=replace(self.det_postprocess, box_thresh=value))

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as plain JSON values."""
        return {key: value for key, value in asdict(self).items() if value not in (None, ())}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> ModelSpec:
        """Build the specification from what `to_dict` gave.

        Raises:
            ValueError: It is something else: a key is unknown or missing, or a value is none that it may have.
        """
        try:
            spec: ModelSpec = TypeAdapter(cls).validate_python(value)
        except ValidationError as error:  # its own text has several lines
            first = error.errors(include_url=False)[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        missing = [key for key in _NEEDED[spec.task] if not getattr(spec, key)]
        if missing:
            raise ValueError(f"the key {missing[0]} is missing")
        return spec
