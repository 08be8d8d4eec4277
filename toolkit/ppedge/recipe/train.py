"""The recipe's section on training, and what each course of training is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ppedge.recipe.base import For, Section
from ppedge.recipe.guides import GuidePart
from ppedge.recipe.losses import NET, NRTR, RESULTS, SAR, LabelLoss, Loss
from ppedge.recipe.networks import Guide, Model, guide_misfit, misfit


class Cosine(Section):
    """Half a cosine from the end of the warm-up to the last step, where the rate is 0."""

    name: Literal["cosine"] = "cosine"


class Constant(Section):
    """The rate stays as it is after the warm-up."""

    name: Literal["constant"]


class Piecewise(Section):
    """The rate changes at epochs of your choice, counted from the start of the course, warm-up included.

    PaddleOCR counts from the end of its warm-up: its ``decay_epochs: [700]`` after 5 epochs of that are ``[705]`` here.
    """

    name: Literal["piecewise"]
    epochs: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    """Where the rate changes, in ascending order."""
    factors: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    """What ``learning_rate`` is multiplied by from there on, one for each of ``epochs``."""

    @model_validator(mode="after")
    def _one_factor_an_epoch(self) -> Piecewise:
        if len(self.epochs) != len(self.factors):
            raise ValueError(f"{len(self.epochs)} epochs and {len(self.factors)} factors: each epoch needs one")
        if any(earlier >= later for earlier, later in pairwise(self.epochs)):
            raise ValueError("epochs must ascend")
        return self


Decay = Cosine | Constant | Piecewise


class Schedule(Section):
    """One course of training by Adam: a linear warm-up, then a learning rate that decays."""

    epochs: int = Field(1, ge=0)
    """Passes over the training data; 0 leaves this course out."""
    max_steps: int | None = Field(None, ge=1)
    """End after this many steps even if epochs are left; a cosine ends there too."""
    batch_size: int = Field(8, ge=1)
    """Samples a step, on each device."""
    learning_rate: float = Field(1e-3, gt=0)
    """At the end of the warm-up."""
    warmup_epochs: float = Field(0.0, ge=0)
    """Length of the warm-up, in epochs."""
    decay: Decay = Field(Cosine(), discriminator="name")
    """How the learning rate falls after the warm-up."""
    l2: float = Field(0.0, ge=0)
    """L2 decay of all weights, but for those of a network's layers that have their own: what is added to a weight's
    gradient is this times the weight."""
    head_l2: Annotated[float | None, For("rec")] = Field(None, ge=0)
    """L2 decay of the layers of a recogniser's CTCHead, instead of ``l2``; PaddleOCR's ``fc_decay``."""
    ema: float | None = Field(None, gt=0, lt=1)
    """Share of an average of the weights that stays at each step, such as 0.9998; the average, BatchNorm's running
    statistics included, is then what is evaluated and kept, and the weights themselves go on training."""
    freeze_bn: bool = False
    """Keep BatchNorm's running statistics and use them in training too: right for short fine-tuning on few pictures."""
    eval_every: int = Field(1, ge=1)
    """Evaluate every so many epochs, and after the last."""
    patience: int | None = Field(None, ge=1)
    """End when so many evaluations in a row were no better than the best before them; by default a course goes on to
    its end, since the cosine's last steps are its best."""
    checkpoint_every: int = Field(100, ge=1)
    """Write last.ckpt every so many steps, and after each epoch."""


class DetAugment(Section):
    """Changes to training pictures of a detector."""

    flip: float = Field(0.5, ge=0, le=1)
    """Probability of a left-right flip."""
    rotate: float = Field(10.0, ge=0, le=180)
    """Largest turn, in degrees, either way."""
    rotate_probability: float = Field(1.0, ge=0, le=1)
    """Probability that a picture is turned at all."""
    scale: tuple[float, float] = (0.5, 3.0)
    """Range of the zoom."""
    crop: int = Field(640, ge=32, multiple_of=32)
    """Side in pixels of the square that is cut out, keeping whole words, and padded if the picture is smaller."""
    color: float = Field(0.2, ge=0, le=1)
    """Strength of brightness, contrast and colour jitter."""
    copy_paste: float = Field(0.0, ge=0, le=1)
    """Probability that words of one other picture, a fifth as many as it has, are pasted, each turned by any angle,
    where there is no text."""


class RecAugment(Section):
    """Changes to training crops of a recogniser or classifier; those that say nothing else are probabilities."""

    concat: Annotated[float, For("rec")] = Field(0.0, ge=0, le=1)
    """For a recogniser: set lines of other samples behind the line, as far as the limits below allow (TextConAug)."""
    concat_lines: Annotated[int, For("rec")] = Field(2, ge=1)
    """Most lines that ``concat`` sets behind one."""
    concat_characters: Annotated[int, For("rec")] = Field(25, ge=1)
    """Most characters that a line of ``concat`` has."""
    concat_ratio: Annotated[float, For("rec")] = Field(6.67, gt=0)
    """Largest ratio of width to height that a line of ``concat`` has."""
    tia: float = Field(0.0, ge=0, le=1)
    """Bend, stretch and tilt the line piecewise: the three changes of TIA, one after the other."""
    perspective: float = Field(0.4, ge=0, le=1)
    """Move the four corners a little."""
    crop: float = Field(0.0, ge=0, le=1)
    """Cut one to eight rows off the top or the bottom; not of a line below 20 pixels in height or width."""
    blur: float = Field(0.2, ge=0, le=1)
    """Gaussian blur."""
    noise: float = Field(0.2, ge=0, le=1)
    """Gaussian noise."""
    color: float = Field(0.4, ge=0, le=1)
    """Brightness, contrast and colour jitter."""
    reverse: float = Field(0.0, ge=0, le=1)
    """Turn dark into bright and bright into dark."""


class Peer(Section):
    """A network that only helps while the other is trained."""

    model: Annotated[
        Annotated[Literal["same"], Tag("same")] | Annotated[Model, Tag("Model")],
        Discriminator(
            lambda value: "same" if isinstance(value, str) else "Model",
            custom_error_type="peer_form",
            custom_error_message="must be `same`, or hold a network's parts",
        ),
    ] = "same"
    """Its parts; ``same``: those of the network that ships."""
    weights: Path | None = None
    """A .pdparams file to start from; by default it starts fresh, from a seed of its own."""
    part: str | None = None
    """Where ``weights`` is a distillation's checkpoint: the network in it to take, such as ``Student2`` or ``Teacher``;
    by default ``Student``."""
    backbone_weights: Path | None = None
    """A .pdparams file to start its backbone from, as ``train.backbone_weights`` for the network that ships."""
    frozen: bool = False
    """It teaches and does not learn: its weights stay as they are."""
    batch_statistics: bool = False
    """For a frozen one: run it as PaddleOCR runs frozen teachers, in training mode: BatchNorm uses the statistics of
    each batch and moves its running ones, and dropout drops. By default it says what it would say in use."""


class Train(Schedule):
    """The train stage."""

    weights: Path | None = None
    """A .pdparams file to start from: the whole network's, every name and shape; of a distillation's checkpoint the
    student is taken. What only training uses may be missing and starts fresh: a detector's threshold head, guides; so
    does what belongs to the classes of another character set."""
    weights_check: Literal["refuse", "warn"] = "refuse"
    """What to do where weights fit by name and shape, but are known to have been trained with other settings than the
    recipe's (strides, normalisation, dictionary). Known are official weights, and those that lie in a run."""
    backbone_weights: Path | None = None
    """A .pdparams file to start the backbone from; its classifier's layers, which a detector or recogniser has not,
    are left out."""
    workers: int = Field(2, ge=0)
    """Processes that prepare batches; 0 prepares them in the training process."""
    heights: Annotated[list[Annotated[int, Field(ge=8)]], For("rec")] = Field([])
    """For a recogniser: heights in pixels that lines are trained at, each batch at one of them; by default that of
    ``rec_preprocess`` alone, which evaluation always has. ``batch_size`` is that of the first height, and a batch of
    another has so many lines that height times lines stays about the same."""
    max_width: Annotated[int | None, For("rec")] = Field(None, ge=1)
    """For a recogniser: the width in pixels that a wider training line is squeezed to; by default that of
    ``rec_preprocess``, which evaluation always has."""
    amp: bool = False
    """Mixed precision (O1); on a GPU only."""
    flat_start: Annotated[float, For("rec")] = Field(0.0, ge=0, le=1)
    """For a recogniser trained from fresh weights: for this share of the course evenly spread characters are learned
    column by column, then CTC takes over, all along with the help of a linear guide on the backbone's features; without
    it CTC needs thousands of steps to start."""
    peers: dict[str, Peer] = Field({})
    """Networks that are trained beside the one that ships, or teach it, by names of your choice."""
    guides: list[Annotated[Guide, Field(discriminator="name")]] = Field([])
    """Second heads, each beside the own one of every network that is trained: it learns from both. Losses name them
    ``NETWORK.GUIDE``, such as ``net.LinearGuide``. A frozen peer has one, frozen like itself, where losses name it."""
    losses: list[Loss] = Field([])
    """What training minimises: the sum of these terms; by default the task's own, DB, CTC or CrossEntropy."""
    det_augment: Annotated[DetAugment, For("det")] = DetAugment()
    rec_augment: Annotated[RecAugment, For("rec", "cls")] = RecAugment()


def misfits(train: Train, model: Model, task: str) -> Iterator[str]:
    """Yield what of a train section does not fit the network or the task, a sentence each."""
    trained = [NET, *(name for name, peer in train.peers.items() if not peer.frozen)]
    guides = {f"{name}.{guide.name}": guide for name in (NET, *train.peers) for guide in train.guides}
    networks = {NET, *train.peers, *guides}
    if NET in train.peers:
        yield f"train.peers: {NET} is the network that ships; name a peer otherwise"
    if train.flat_start and (train.peers or train.guides):
        yield "train.flat_start: has a guide of its own, and goes with neither peers nor guides"
    if train.flat_start and any(not term.slims for term in train.losses):
        yield "train.flat_start: is for fresh weights, and goes with no term that rests on trained ones, such as Center"
    for name, peer in train.peers.items():
        reason = misfit(peer.model, task) if isinstance(peer.model, Model) else None
        if reason:
            yield f"train.peers.{name}.model: {reason}"
        if peer.part is not None and peer.weights is None:
            yield f"train.peers.{name}.part: is a part of a file that weights names, and none is named"
        if peer.batch_statistics and not peer.frozen:
            yield f"train.peers.{name}.batch_statistics: is for a frozen peer; one that is trained always uses them"
    for guide in train.guides:
        reason = guide_misfit(guide, model, task)
        if reason:
            yield f"train.guides: {reason}"
    yield from _useless(train, trained)
    for number, term in enumerate(train.losses):
        where = f"train.losses[{number}]: {term.name}"
        unknown = [name for name in term.networks if name not in networks]
        if task not in term.tasks:
            yield f"{where} is for the task {' or '.join(term.tasks)}"
        if term.at in RESULTS.values() and term.at != RESULTS[task]:
            yield f"{where} reads {term.at}, and a {task} network gives {RESULTS[task]}"
        if unknown:
            yield f"{where} names {unknown[0]}, which is none of {', '.join(sorted(networks))}"
        elif isinstance(term, LabelLoss):
            yield from _of_another(term, guides, where)


def _of_another(term: LabelLoss, guides: Mapping[str, GuidePart], where: str) -> Iterator[str]:
    """Yield what a loss of labels is said to be of, and is not: each kind of guide has one, and so have networks."""
    for name in term.networks:
        guide = guides.get(name)
        if guide is None and isinstance(term, SAR | NRTR):
            yield f"{where} is of guides, and {name} is none"
        if guide is not None and term.name != guide.learns_from:
            yield f"{where} is of {name}, which learns from {guide.learns_from}"
        elif guide is not None and term.at not in guide.results:
            yield f"{where} reads {term.at} of {name}, which gives {', '.join(guide.results)}"
        elif guide is None and term.at.startswith(f"{RESULTS['det']}_"):
            yield f"{where} reads {term.at}, which is of a guide, and {name} is none"


def _useless(train: Train, trained: Sequence[str]) -> Iterator[str]:
    """Yield what stands beside the network and does nothing for it, since no loss reads it."""
    paired = {name for term in train.losses for place in term.places(trained) if len(place) > 1 for name in place}
    for name in train.peers:
        if not any(one == name or one.startswith(f"{name}.") for one in paired):  # itself, or a guide of its
            yield f"train.peers.{name}: no term of train.losses compares it with another network"
    for guide in train.guides:
        for name in (f"{network}.{guide.name}" for network in trained):
            if not any(name in term.networks for term in train.losses):
                yield f"train.guides: no term of train.losses names {name}"
