"""The recipe's sections on losses: each is a term of what training minimises.

A term reads what one network gives (``of``), compares two networks (``between``), or teaches networks what another
gives (``from``, ``to``): ``net`` is the one that ships, others are named under ``train.peers``. What it reads of a
network, it names by ``at``: ``maps`` or ``logits``, which a network gives in training, or any layer by its structured
name (``backbone``, ``neck``, ``head.binarize.conv1``).
"""

from __future__ import annotations

from collections.abc import Sequence
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
        slims: Whether courses of the slim stage minimise it too, where it reads the network that ships alone.
    """

    tasks: ClassVar[tuple[str, ...]] = ("det", "rec", "cls")
    slims: ClassVar[bool] = True
    name: str
    at: str
    weight: float = Field(1.0, gt=0)
    """What it is multiplied by."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that it reads; empty: all that are trained."""
        raise NotImplementedError

    def places(self, trained: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the networks that it reads at once, one or two, for each time that it counts.

        Args:
            trained: Names of the networks that are trained.
        """
        raise NotImplementedError


class LabelLoss(LossTerm):
    """A term that holds one network against the labels."""

    of: list[str] = Field([])
    """The networks, each of which learns from it; by default all that are trained."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that it reads; empty: all that are trained."""
        return tuple(self.of)

    def places(self, trained: Sequence[str]) -> list[tuple[str, ...]]:
        """Return each network by itself."""
        return [(name,) for name in self.of or trained]


class PairLoss(LossTerm):
    """A term that holds two networks against each other."""

    between: tuple[str, str]
    """The two networks."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that it reads."""
        return self.between

    def places(self, trained: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the two networks."""
        return [self.between]


class TeacherLoss(LossTerm):
    """A term by which networks learn what another gives; that one learns nothing from it."""

    from_: str = Field(alias="from")
    """The network, or guide, that teaches."""
    to: list[str] = Field(["net"], min_length=1)
    """The networks, or guides, that learn from it."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that it reads."""
        return (self.from_, *self.to)

    def places(self, trained: Sequence[str]) -> list[tuple[str, ...]]:
        """Return each that learns, with the one that teaches."""
        return [(name, self.from_) for name in self.to]


class DB(LabelLoss):
    """Loss of differentiable binarization."""

    tasks: ClassVar[tuple[str, ...]] = ("det",)
    name: Literal["DB"]
    at: Literal["maps", "maps_p4", "maps_p3", "maps_p2"] = "maps"
    """What it reads: a network's ``maps``, or those that a guide ``AuxDBHead`` makes of one level."""
    main: Literal["dice", "bce", "dice_focal"] = "dice"
    """The loss of the probability map: ``dice``, as PP-OCR's published weights were trained up to v5, ``bce`` with hard
    negatives, as in DB's paper, or ``dice_focal``, dice and focal loss, of the binary map too, as v6's were."""
    alpha: float = Field(5.0, ge=0)
    """Weight of the probability map's part."""
    beta: float = Field(10.0, ge=0)
    """Weight of the threshold map's part."""
    ohem_ratio: float = Field(3.0, gt=0)
    """For ``bce``: background pixels for each text pixel."""
    focal_alpha: float = Field(0.25, gt=0, lt=1)
    """For ``dice_focal``: weight of text pixels; those of the background have the rest of 1."""
    focal_gamma: float = Field(2.0, ge=0)
    """For ``dice_focal``: how much less a pixel counts the better it is told; PP-OCRv6 has 2.5."""


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


class Dilated(TeacherLoss):
    """A detector learns where a teacher sees text, made one pixel larger, as if that were a label."""

    tasks: ClassVar[tuple[str, ...]] = ("det",)
    name: Literal["Dilated"]
    at: Literal["maps"] = "maps"
    """What it reads."""
    main: Literal["dice", "bce"] = "dice"
    """The loss of the probability map, as in ``DB``."""
    alpha: float = Field(5.0, ge=0)
    """Weight of the probability map's part; the binary map's is 1."""
    ohem_ratio: float = Field(3.0, gt=0)
    """For ``bce``: background pixels for each text pixel."""
    thresh: float = Field(0.3, ge=0, le=1)
    """Above which the teacher's map is text."""


class KL(TeacherLoss):
    """Kullback-Leibler divergence of what a recogniser or classifier says from what a teacher says."""

    tasks: ClassVar[tuple[str, ...]] = ("rec", "cls")
    name: Literal["KL"]
    at: Literal["logits"] = "logits"
    """What it reads."""


class CTCLogits(TeacherLoss):
    """A recogniser learns which characters a teacher sees anywhere in the line, wherever they stand."""

    tasks: ClassVar[tuple[str, ...]] = ("rec",)
    name: Literal["CTCLogits"]
    at: Literal["logits"] = "logits"
    """What it reads."""
    temperature: float = Field(0.5, gt=0)
    """What logits are divided by before softmax."""


class DKD(TeacherLoss):
    """Decoupled distillation of what a guide ``NRTRHead`` writes: the right character and the others apart."""

    tasks: ClassVar[tuple[str, ...]] = ("rec",)
    name: Literal["DKD"]
    at: Literal["logits"] = "logits"
    """What it reads."""
    to: list[str] = Field(["net.NRTRHead"], min_length=1)
    """The guides that learn from it."""
    alpha: float = Field(1.0, ge=0)
    """Weight of how much is given to the right character."""
    beta: float = Field(2.0, ge=0)
    """Weight of how the others share the rest."""
    temperature: float = Field(1.0, gt=0)
    """What logits are divided by before softmax."""
    padding: bool = False
    """Let what follows a text's end count too, as PaddleOCR does."""


class Center(LabelLoss):
    """Enhanced CTC: the features of a column stay near the centre of the class that the network sees in it."""

    tasks: ClassVar[tuple[str, ...]] = ("rec",)
    slims: ClassVar[bool] = False
    name: Literal["Center"]
    at: str = "head.fc1"
    """The layer whose features it reads, (N, T, F), one a column of the logits."""
    start: Literal["read", "random"] = "read"
    """Where centres start: ``read``, the mean features of each class in the training lines that the network as it came
    reads correctly (a class that is in none of them has no centre and counts nothing); or ``random``."""
    images: int = Field(10000, ge=1)
    """For ``read``: how many training lines are looked at, spread evenly."""
    trained: bool = False
    """Whether centres are trained too; PaddleOCR never moves them."""


Loss = Annotated[
    DB | CTC | SAR | NRTR | CrossEntropy | DML | MSE | Dilated | KL | CTCLogits | DKD | Center,
    Field(discriminator="name"),
]
DEFAULTS: dict[str, LossTerm] = {
    "det": DB(name="DB"),
    "rec": CTC(name="CTC"),
    "cls": CrossEntropy(name="CrossEntropy"),
}
"""What a network of a task learns from if the recipe names nothing."""
