"""The recipe's network sections, under the names PaddleOCR uses, and what the other sections are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the recipe: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Schedule(Section):
    """One course of training: Adam with cosine decay after a linear warm-up."""

    epochs: int = Field(1, ge=0)
    """Passes over the training data; 0 leaves this course out."""
    max_steps: int | None = Field(None, ge=1)
    """End after this many steps even if epochs are left; the cosine ends there too."""
    batch_size: int = Field(8, ge=1)
    """Samples a step, on each device."""
    learning_rate: float = Field(1e-3, gt=0)
    """At the end of the warm-up."""
    warmup_epochs: float = Field(0.0, ge=0)
    """Length of the warm-up, in epochs."""
    l2: float = Field(0.0, ge=0)
    """L2 decay of all weights."""
    freeze_bn: bool = False
    """Keep BatchNorm's running statistics and use them in training too: right for short fine-tuning on few pictures."""
    eval_every: int = Field(1, ge=1)
    """Evaluate every so many epochs, and after the last."""
    patience: int | None = Field(None, ge=1)
    """End when so many evaluations in a row were no better than the best before them; by default a course goes on to
    its end, since the cosine's last steps are its best."""
    checkpoint_every: int = Field(100, ge=1)
    """Write last.ckpt every so many steps, and after each epoch."""


class MobileNetV3(Section):
    """MobileNetV3 as PP-OCR uses it."""

    name: Literal["MobileNetV3"]
    model_name: Literal["large", "small"] = "large"
    """Which of the two published layouts."""
    scale: float = Field(0.5, gt=0)
    """Width multiplier; channels are rounded to a multiple of 8."""
    disable_se: bool = True
    """For a detector: leave the squeeze-and-excitation parts out."""
    large_stride: tuple[int, int, int, int] = (1, 2, 2, 2)
    """For a recogniser or classifier, ``large``: strides of the height."""
    small_stride: tuple[int, int, int, int] = (2, 2, 2, 2)
    """For a recogniser or classifier, ``small``: strides of the height."""


class DBFPN(Section):
    """The detector's feature pyramid."""

    name: Literal["DBFPN"]
    out_channels: int = Field(96, ge=4, multiple_of=4)
    """Channels of the concatenated output; a quarter of them comes from each level."""


class SequenceEncoder(Section):
    """The recogniser's sequence model: a two-layer bidirectional LSTM."""

    name: Literal["SequenceEncoder"]
    hidden_size: int = Field(48, ge=1)
    """Of each direction."""


class DBHead(Section):
    """Differentiable binarization: probability and threshold maps."""

    name: Literal["DBHead"]
    k: int = Field(50, ge=1)
    """Steepness of the differentiable step."""


class CTCHead(Section):
    """One linear layer to the classes of the character set, blank first."""

    name: Literal["CTCHead"]


class ClsHead(Section):
    """The mean of the features and one linear layer to the two directions of a line."""

    name: Literal["ClsHead"]


class Model(Section):
    """The network, part by part, under the names PaddleOCR uses; a direction classifier has no neck."""

    backbone: Annotated[MobileNetV3, Field()]
    neck: DBFPN | SequenceEncoder | None = Field(None, discriminator="name")
    head: Annotated[DBHead | CTCHead | ClsHead, Field(discriminator="name")]


class Imported(Section):
    """A network that somebody else has trained and exported; it is converted and validated, not trained or slimmed."""

    inference: Path
    """The folder of a Paddle inference model: a .pdmodel file and the .pdiparams file of the same name. Relative to the
    current folder."""


def form_of_model(value: Any) -> str | None:
    """Name the class that a recipe's ``model`` is of."""
    if isinstance(value, Section):
        return type(value).__name__
    if not isinstance(value, dict):
        return None
    return Imported.__name__ if "inference" in value else Model.__name__
