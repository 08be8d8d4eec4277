"""The recipe's network sections, under the names PaddleOCR uses.

Each part declares what it takes and what it gives, so that what fits what is said here alone:

- ``picture``: (N, 3, H, W);
- ``pyramid``: maps of 1/4, 1/8, 1/16 and 1/32 of the picture's size, finest first;
- ``map``: (N, C, H / 4, W / 4);
- ``row``: (N, C, 1, T), T columns along a text line;
- ``sequence``: (N, T, C);
- ``result``: what a network of the task ends with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from ppedge.recipe.base import For, Section

Form = Literal["picture", "pyramid", "map", "row", "sequence", "result"]


class Part(Section):
    """A part of a network.

    Attributes:
        takes: The form of what it is given.
        gives: The form of what it gives, by each task that it can serve.
    """

    takes: ClassVar[Form]
    gives: ClassVar[Mapping[str, Form]]
    name: str


class MobileNetV3(Part):
    """MobileNetV3 as PP-OCR uses it."""

    takes: ClassVar[Form] = "picture"
    gives: ClassVar[Mapping[str, Form]] = {"det": "pyramid", "rec": "row", "cls": "row"}
    name: Literal["MobileNetV3"]
    model_name: Literal["large", "small"] = "large"
    """Which of the two published layouts."""
    scale: float = Field(0.5, gt=0)
    """Width multiplier; channels are rounded to a multiple of 8."""
    disable_se: Annotated[bool, For("det")] = True
    """For a detector: leave the squeeze-and-excitation parts out."""
    large_stride: Annotated[tuple[int, int, int, int], For("rec", "cls")] = (1, 2, 2, 2)
    """For a recogniser or classifier, ``large``: strides of the height."""
    small_stride: Annotated[tuple[int, int, int, int], For("rec", "cls")] = (2, 2, 2, 2)
    """For a recogniser or classifier, ``small``: strides of the height."""


class DBFPN(Part):
    """The detector's feature pyramid."""

    takes: ClassVar[Form] = "pyramid"
    gives: ClassVar[Mapping[str, Form]] = {"det": "map"}
    name: Literal["DBFPN"]
    out_channels: int = Field(96, ge=4, multiple_of=4)
    """Channels of the concatenated output; a quarter of them comes from each level."""


class SequenceEncoder(Part):
    """The recogniser's sequence model: a two-layer bidirectional LSTM."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "sequence"}
    name: Literal["SequenceEncoder"]
    hidden_size: int = Field(48, ge=1)
    """Of each direction."""


class DBHead(Part):
    """Differentiable binarization: probability and threshold maps."""

    takes: ClassVar[Form] = "map"
    gives: ClassVar[Mapping[str, Form]] = {"det": "result"}
    name: Literal["DBHead"]
    k: int = Field(50, ge=1)
    """Steepness of the differentiable step."""


class CTCHead(Part):
    """One linear layer to the classes of the character set, blank first."""

    takes: ClassVar[Form] = "sequence"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    name: Literal["CTCHead"]


class ClsHead(Part):
    """The mean of the features and one linear layer to the two directions of a line."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"cls": "result"}
    name: Literal["ClsHead"]


class LinearGuide(Part):
    """A guide of a recogniser: one linear layer from the columns of the backbone's features to the classes."""

    takes: ClassVar[Form] = "row"
    gives: ClassVar[Mapping[str, Form]] = {"rec": "result"}
    name: Literal["LinearGuide"]
    at: Literal["backbone"] = "backbone"
    """What it reads."""


# A union of one is none to pydantic: with a second member, what uses it needs Field(discriminator="name").
Backbone = MobileNetV3
Guide = LinearGuide
Neck = DBFPN | SequenceEncoder
Head = DBHead | CTCHead | ClsHead


class Model(Section):
    """The network that ships, part by part, under the names PaddleOCR uses; a direction classifier has no neck."""

    backbone: Annotated[Backbone, Field()]
    neck: Neck | None = Field(None, discriminator="name")
    head: Annotated[Head, Field(discriminator="name")]


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


def misfit(model: Model, task: str) -> str | None:
    """Say what a network of the task needs if the model's parts do not make one; None if they do."""
    form: Form | None = "picture"
    for part in (model.backbone, model.neck, model.head):
        if part is not None:
            form = part.gives.get(task) if part.takes == form else None
    return None if form == "result" else f"a {task} network needs {' or '.join(_ways(type(model.backbone), task))}"


def guide_misfit(guide: Guide, model: Model, task: str) -> str | None:
    """Say why a guide does not fit a network; None if it does."""
    form = model.backbone.gives.get(task)
    if guide.at != "backbone" and model.neck is not None:
        form = model.neck.gives.get(task)
    if task in guide.gives and guide.takes == form:
        return None
    return f"{guide.name} reads a {guide.takes} at the {guide.at} of a {' or '.join(guide.gives)} network"


def _ways(backbone: type[Part], task: str) -> Iterator[str]:
    """Yield the necks and heads that make a network of the task of a backbone, in words."""
    given = backbone.gives.get(task)
    if given is None:
        yield f"another backbone than {backbone.__name__}"
        return
    for head in _fitting(Head, task, None):
        if head.takes == given:
            yield f"no neck and head {head.__name__}"
        necks = [neck.__name__ for neck in _fitting(Neck, task, given) if neck.gives[task] == head.takes]
        if necks:
            yield f"neck {' or '.join(necks)} and head {head.__name__}"


def _fitting(union: Any, task: str, given: Form | None) -> list[type[Part]]:
    """Return the parts of a union that serve a task, and take what is given if that is known."""
    parts: Sequence[type[Part]] = get_args(union) or (union,)
    return [part for part in parts if task in part.gives and given in (None, part.takes)]
