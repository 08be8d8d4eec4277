"""The recipe's sections on losses: each is a term of what training minimises.

A term reads what one network gives (``of``), or compares two networks (``between``): ``net`` is the one that ships,
others are named under ``train.peers``. What it reads of a network, it names by ``at``: ``maps`` or ``logits``, which a
network gives in training, or any layer by its structured name (``backbone``, ``neck``, ``head.binarize.conv1``).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ppedge.recipe.base import Section

NET = "net"
"""The network that ships."""
RESULTS = {"det": "maps", "rec": "logits", "cls": "logits"}
"""What a network of each task gives in training."""


class LossTerm(Section):
    """A term of the loss.

    Attributes:
        tasks: Which it can serve.
    """

    tasks: ClassVar[tuple[str, ...]] = ("det", "rec", "cls")
    name: str
    at: str
    weight: float = Field(1.0, gt=0)
    """What it is multiplied by."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that it reads; empty: all that are trained."""
        raise NotImplementedError


class LabelLoss(LossTerm):
    """A term that holds one network against the labels."""

    of: list[str] = Field([])
    """The networks, each of which learns from it; by default all that are trained."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that it reads; empty: all that are trained."""
        return tuple(self.of)


class PairLoss(LossTerm):
    """A term that holds two networks against each other."""

    between: tuple[str, str]
    """The two networks."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that it reads."""
        return self.between


class DB(LabelLoss):
    """Loss of differentiable binarization."""

    tasks: ClassVar[tuple[str, ...]] = ("det",)
    name: Literal["DB"]
    at: Literal["maps"] = "maps"
    """What it reads."""
    main: Literal["dice", "bce"] = "dice"
    """The loss of the probability map: ``dice``, as PP-OCR's published weights were trained, or ``bce`` with hard
    negatives, as in DB's paper."""
    alpha: float = Field(5.0, ge=0)
    """Weight of the probability map's part."""
    beta: float = Field(10.0, ge=0)
    """Weight of the threshold map's part."""
    ohem_ratio: float = Field(3.0, gt=0)
    """For ``bce``: background pixels for each text pixel."""


class CTC(LabelLoss):
    """Connectionist temporal classification."""

    tasks: ClassVar[tuple[str, ...]] = ("rec",)
    name: Literal["CTC"]
    at: Literal["logits"] = "logits"
    """What it reads."""
    ignore_case: bool = False
    """Where labels are in one case only, whatever the pictures show: either case of a letter counts as right, so that
    training does not undo what the weights know about case."""


class SAR(LabelLoss):
    """Cross entropy of the characters that a guide ``SARHead`` writes."""

    tasks: ClassVar[tuple[str, ...]] = ("rec",)
    name: Literal["SAR"]
    at: Literal["logits"] = "logits"
    """What it reads."""
    of: list[str] = Field(min_length=1)
    """The guides, such as ``net.SARHead``."""


class NRTR(LabelLoss):
    """Cross entropy of the characters that a guide ``NRTRHead`` writes."""

    tasks: ClassVar[tuple[str, ...]] = ("rec",)
    name: Literal["NRTR"]
    at: Literal["logits"] = "logits"
    """What it reads."""
    of: list[str] = Field(min_length=1)
    """The guides, such as ``net.NRTRHead``."""
    smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the label that is spread over all other classes."""
    padding: bool = False
    """Let what follows a text's end count too, as PaddleOCR's distillation of PP-OCRv4 does."""


class CrossEntropy(LabelLoss):
    """Cross entropy of a line's direction."""

    tasks: ClassVar[tuple[str, ...]] = ("cls",)
    name: Literal["CrossEntropy"]
    at: Literal["logits"] = "logits"
    """What it reads."""


class DML(PairLoss):
    """Deep mutual learning: two networks learn from what the other says of the same pictures."""

    name: Literal["DML"]
    at: Literal["maps", "logits"]
    """What it compares: a detector's ``maps``, of which the probability, or the ``logits`` of the others."""


class MSE(PairLoss):
    """Mean squared difference of two networks' features."""

    name: Literal["MSE"]
    at: str
    """What it compares: a layer, by its structured name; both networks must have it, with one shape."""


Loss = Annotated[DB | CTC | SAR | NRTR | CrossEntropy | DML | MSE, Field(discriminator="name")]
DEFAULTS: dict[str, LossTerm] = {
    "det": DB(name="DB"),
    "rec": CTC(name="CTC"),
    "cls": CrossEntropy(name="CrossEntropy"),
}
"""What a network of a task learns from if the recipe names nothing."""
