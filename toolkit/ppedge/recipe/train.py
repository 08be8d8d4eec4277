"""The recipe's section on training, and what each course of training is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ppedge.recipe.base import For, Section
from ppedge.recipe.losses import NET, RESULTS, Loss, PairLoss
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
    scale: tuple[float, float] = (0.5, 3.0)
    """Range of the zoom."""
    crop: int = Field(640, ge=32, multiple_of=32)
    """Side in pixels of the square that is cut out, keeping whole words, and padded if the picture is smaller."""
    color: float = Field(0.2, ge=0, le=1)
    """Strength of brightness, contrast and colour jitter."""


class RecAugment(Section):
    """Changes to training crops of a recogniser or classifier; each is a probability."""

    perspective: float = Field(0.4, ge=0, le=1)
    """Move the four corners a little."""
    blur: float = Field(0.2, ge=0, le=1)
    """Gaussian blur."""
    noise: float = Field(0.2, ge=0, le=1)
    """Gaussian noise."""
    color: float = Field(0.4, ge=0, le=1)
    """Brightness, contrast and colour jitter."""


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
    frozen: bool = False
    """It teaches and does not learn: its weights stay as they are."""


class Train(Schedule):
    """The train stage."""

    weights: Path | None = None
    """A .pdparams file to start from: the whole network's, every name and shape. Two things may be otherwise and start
    fresh: a recogniser's head for another character set, and a threshold head that the file has not."""
    weights_check: Literal["refuse", "warn"] = "refuse"
    """What to do where weights fit by name and shape, but are known to have been trained with other settings than the
    recipe's (strides, normalisation, dictionary). Known are official weights, and those that lie in a run."""
    backbone_weights: Path | None = None
    """A .pdparams file to start the backbone from; its classifier's layers, which a detector or recogniser has not,
    are left out."""
    workers: int = Field(2, ge=0)
    """Processes that prepare batches; 0 prepares them in the training process."""
    amp: bool = False
    """Mixed precision (O1); on a GPU only."""
    flat_start: Annotated[float, For("rec")] = Field(0.0, ge=0, le=1)
    """For a recogniser trained from fresh weights: for this share of the course evenly spread characters are learned
    column by column, then CTC takes over, all along with the help of a linear guide on the backbone's features; without
    it CTC needs thousands of steps to start."""
    peers: dict[str, Peer] = Field({})
    """Networks that are trained beside the one that ships, or teach it, by names of your choice."""
    guides: list[Guide] = Field([])
    """Second heads, each beside the own one of every network that is trained: it learns from both. Losses name them
    ``NETWORK.GUIDE``, such as ``net.LinearGuide``."""
    losses: list[Loss] = Field([])
    """What training minimises: the sum of these terms; by default the task's own, DB, CTC or CrossEntropy."""
    det_augment: Annotated[DetAugment, For("det")] = DetAugment()
    rec_augment: Annotated[RecAugment, For("rec", "cls")] = RecAugment()


def misfits(train: Train, model: Model, task: str) -> Iterator[str]:
    """Yield what of a train section does not fit the network or the task, a sentence each."""
    trained = [NET, *(name for name, peer in train.peers.items() if not peer.frozen)]
    networks = {NET, *train.peers, *(f"{name}.{guide.name}" for name in trained for guide in train.guides)}
    if NET in train.peers:
        yield f"train.peers: {NET} is the network that ships; name a peer otherwise"
    if train.flat_start and (train.peers or train.guides):
        yield "train.flat_start: has a guide of its own, and goes with neither peers nor guides"
    for name, peer in train.peers.items():
        reason = misfit(peer.model, task) if isinstance(peer.model, Model) else None
        if reason:
            yield f"train.peers.{name}.model: {reason}"
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


def _useless(train: Train, trained: Sequence[str]) -> Iterator[str]:
    """Yield what stands beside the network and does nothing for it, since no loss reads it."""
    paired = {name for term in train.losses if isinstance(term, PairLoss) for name in term.networks}
    for name in train.peers:
        if not any(one == name or one.startswith(f"{name}.") for one in paired):  # itself, or a guide of its
            yield f"train.peers.{name}: no term of train.losses compares it with another network"
    for guide in train.guides:
        for name in (f"{network}.{guide.name}" for network in trained):
            if not any(name in term.networks for term in train.losses):
                yield f"train.guides: no term of train.losses names {name}"
