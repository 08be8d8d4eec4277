"""The recipe's network sections: which parts there are, and what makes a network of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field

from ppedge.recipe.backbones import (
    MobileNetV1Enhance,
    MobileNetV3,
    PPHGNet_small,
    PPLCNetV3,
    PPLCNetV4,
    ResNet_vd,
    SVTRNet,
)
from ppedge.recipe.base import Section
from ppedge.recipe.guides import AuxDBHead, LinearGuide, NRTRHead, SARHead
from ppedge.recipe.heads import ClsHead, CTCHead, DBHead, MultiHead, PFHeadLocal
from ppedge.recipe.necks import DBFPN, LKPAN, RSEFPN, RepLKFPN, SequenceEncoder
from ppedge.recipe.parts import Form, Part

Backbone = MobileNetV3 | ResNet_vd | PPHGNet_small | MobileNetV1Enhance | PPLCNetV3 | PPLCNetV4 | SVTRNet
Guide = LinearGuide | SARHead | NRTRHead | AuxDBHead
Neck = DBFPN | RSEFPN | RepLKFPN | LKPAN | SequenceEncoder
Head = DBHead | PFHeadLocal | CTCHead | ClsHead | MultiHead


class Model(Section):
    """The network that ships, part by part, under the names PaddleOCR uses; a direction classifier has no neck."""

    backbone: Annotated[Backbone, Field(discriminator="name")]
    neck: Neck | None = Field(None, discriminator="name")
    head: Annotated[Head, Field(discriminator="name")]


class Imported(Section):
    """A network that somebody else has trained and exported: converted as it is, or slimmed first, without labels."""

    inference: Path
    """The folder of a Paddle inference model: a .pdmodel file and the .pdiparams file of the same name. Relative to the
    current folder."""
    pictures: Path | None = None
    """Slim it, by the section ``slim``, on these pictures: a folder of them, with those in all folders below it, or a
    label file, which names them relative to its own folder and of which nothing else is read; for a recogniser or
    classifier each is a line. The network learns from itself as it came, and how far it agrees with that on pictures
    kept apart is its metric. null: it is converted as it is."""


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
    place, _, inner = guide.at.partition(".")
    part: Part | None = getattr(model, place)
    form = None if part is None else part.within.get(inner) if inner else part.gives.get(task)
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
