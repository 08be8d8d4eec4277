"""The recipe's section on slimming: pruning, 8 bits, and the training after each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ppedge.recipe.base import For, Section
from ppedge.recipe.train import Schedule


class FineTuning(Schedule):
    """A course of training after pruning."""

    epochs: int = Field(10, ge=0)
    """Passes over the training data; 0 leaves this course out."""
    learning_rate: float = Field(1e-4, gt=0)
    """At the end of the warm-up."""
    freeze_bn: bool = True
    """Keep BatchNorm's running statistics and use them in training too."""


class QuantTraining(FineTuning):
    """A course of training with quantizers; with ``epochs: 0`` the network is calibrated only."""

    epochs: int = Field(5, ge=0)
    """Passes over the training data; 0 leaves this course out."""
    learning_rate: float = Field(5e-5, gt=0)
    """At the end of the warm-up."""


class LearnedRounding(Section):
    """How rounding is learned: unit by unit, each to give what it gives in float, without labels."""

    iterations: int = Field(200, ge=1)
    """Steps for each unit, a block of the network or a layer by itself; each looks at one batch of the ``samples``."""
    batch_size: int = Field(16, ge=1)
    """Samples a step, at most: calibration may have them in larger batches, of which each is divided."""
    learning_rate: float = Field(0.03, gt=0)
    """Of the rounding; clips learn at a tenth of it, relative to where they start."""
    regularization: float = Field(1e-3, ge=0)
    """Weight of what draws each weight to one of its two levels, relative to the unit's error."""


class DistillTraining(FineTuning):
    """A course of training on what the network as trained says of the pictures."""

    epochs: int = Field(40, ge=0)
    """Passes over the training data; 0 leaves this course out."""
    batch_size: int = Field(4, ge=1)
    """Samples a step, on each device."""
    learning_rate: float = Field(1e-3, gt=0)
    """At the end of the warm-up."""
    eval_every: int = Field(10, ge=1)
    """Evaluate every so many epochs, and after the last."""
    labels: float = Field(0.0, ge=0)
    """Weight of the task's own loss, which is added; 0: labels are not looked at, and of the course's weights those are
    the best whose outputs on ``data.eval`` are the nearest to the original's."""
    pictures: Path | None = None
    """Further pictures to learn from, which need no labels: a folder, with all folders below it, or a label file, of
    which the pictures alone are read. A detector's are whole ones, else each is one line, a classifier's upright."""

    @model_validator(mode="after")
    def _labelled(self) -> DistillTraining:
        if self.pictures is not None and self.labels:
            raise ValueError("pictures: they have no labels, and labels is not 0")
        return self


class Budget(Section):
    """Largest share of the ARM instructions of the network as trained, by core, and of its bytes.

    With one, each block's channels, ``neck_width`` and ``head_width`` are chosen together, for the least sum of errors;
    of the last two a number only says that it is to be chosen. Where ``quant.method`` is ``arm``, so are the layers in
    8 bits, and the share is that of the quantized network; else of the float one.
    """

    a53: float | None = Field(None, gt=0, le=1)
    """On Cortex-A53."""
    a76: float | None = Field(None, gt=0, le=1)
    """On Cortex-A76."""
    nb: float | None = Field(None, gt=0, le=1)
    """Of the bytes of the .nb file."""

    @property
    def shares(self) -> dict[str, float]:
        """What is asked for, by core, and as ``nb`` of the file."""
        return {name: share for name, share in self.model_dump().items() if share is not None}


class ArmPrune(Section):
    """Closed-form reduction, after which the network is distilled."""

    tolerance: float = Field(0.06, ge=0, lt=1)
    """Channels go while the squared error of what the layers behind give stays below this share of its variance (with
    several layers behind, the sum over them); 0 leaves all channels. Without a budget."""
    streams: bool = False
    """Let channels go too that blocks add to between them, in all blocks at once."""
    budget: Budget = Budget()
    max_drop: float | None = Field(None, ge=0)
    """Instead of a budget: take the cheapest of nine points between all and nothing whose network loses no more of the
    metric than this, on ``prune.samples`` training pictures and before it is trained."""
    neck_width: Annotated[int | None, For("det")] = Field(24, ge=1)
    """For a detector: channels between neck and head; the neck becomes one convolution a level, unless a budget finds
    that one which is not linear had better keep its form. null leaves the feature pyramid."""
    head_width: Annotated[int | None, For("det")] = Field(32, ge=1)
    """For a detector with a new neck: channels before the head's last convolution; null leaves them."""
    rewrites: list[Literal["fold_bias", "shuffle_head", "skip_rows", "fold_pool"]] = Field(
        ["fold_bias", "shuffle_head"]
    )
    """Exact rewrites, where the network has a place for them: of a detector's head (``shuffle_head`` needs
    ``fold_bias`` before it). ``skip_rows`` and ``fold_pool``, of a recogniser's or classifier's layers that halve the
    height alone, are needless: convert does the same to every ``.nb`` file (``convert.rewrite``)."""
    samples: int = Field(72, ge=1)
    """Training pictures, as they are cut for training, that the least squares rest on."""
    distill: DistillTraining = DistillTraining()
    """Training after the reduction."""

    @model_validator(mode="after")
    def _one_limit(self) -> ArmPrune:
        if self.budget.shares and self.max_drop is not None:
            raise ValueError("budget, max_drop: set one of the two")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> ArmPrune:
        head = [kind for kind in self.rewrites if kind in ("fold_bias", "shuffle_head")]
        if "shuffle_head" in head and head != ["fold_bias", "shuffle_head"]:
            raise ValueError("rewrites: shuffle_head needs fold_bias before it")
        return self


class Prune(Section):
    """Pruning: FPGM filter pruning, or reduction for ARM."""

    method: Literal["fpgm", "arm", "none"] = "fpgm"
    """``fpgm``: filters by their geometric median; ``arm``: exact rewrites and least squares, see ``arm``; ``none``
    leaves pruning out."""
    mode: Literal["sensitivity", "flat"] = "sensitivity"
    """``sensitivity``: choose each layer's ratio by its measured effect on the metric; ``flat``: the same ratio
    everywhere."""
    ratio: float = Field(0.2, gt=0, lt=1)
    """For ``flat``: the share of channels that goes."""
    ratios: list[Annotated[float, Field(gt=0, lt=1)]] = Field([0.125, 0.25, 0.5], min_length=1)
    """For ``sensitivity``: the shares that are tried on each layer."""
    target_flops: float = Field(0.75, gt=0, le=1)
    """Stop when this share of the FLOPs is left."""
    max_drop: float = Field(0.05, ge=0)
    """For ``sensitivity``: stop before the summed drops of the metric, as measured layer by layer, exceed this."""
    multiple: int = Field(8, ge=1)
    """Kept channels are a multiple of this; ARM's int8 kernels want 8."""
    samples: int = Field(16, ge=1)
    """Training pictures on which sensitivity is measured."""
    exclude: list[str] = Field([])
    """Layers, by the start of their names, that are not pruned."""
    finetune: FineTuning = FineTuning()
    """Training after FPGM pruning."""
    arm: ArmPrune = ArmPrune()
    """For the method ``arm``; of the keys above, ``multiple`` and ``exclude`` hold for it too."""


class Quant(Section):
    """8 bits, of all layers or of those that gain by them: PACT quantization-aware training, or learned rounding."""

    method: Literal["pact", "arm", "none"] = "pact"
    """``pact``: 8 bits wherever they can be, but for layers beyond ``max_layer_error``; ``arm``: only in layers that
    save ARM instructions by them, as far as ``max_drop`` and ``max_error`` allow; ``none`` leaves quantization out."""
    max_layer_error: float | None = Field(0.01, gt=0)
    """For ``pact``: a layer that, alone in 8 bits and before any training, changes the network's output by more (mean
    squared difference, relative to the output's variance) stays in float; null: none does."""
    max_drop: float = Field(0.005, ge=0)
    """For ``arm``: the metric, on ``samples`` training pictures without any 8-bit training, may fall by as much."""
    max_error: float | None = Field(None, gt=0)
    """For ``arm``: bound of the mean squared difference that 8 bits make at the network's output, relative to the
    output's variance, on the same pictures; by default 4e-4 for a recogniser or classifier, none for a detector."""
    cores: list[Literal["a53", "a76"]] = Field(["a53", "a76"], min_length=1)
    """For ``arm``: the cores, Cortex-A53 and A76, on each of which a layer in 8 bits must save instructions; of those
    that a budget limits one is enough."""
    samples: int = Field(32, ge=1)
    """Training pictures from which the clips and scales start."""
    percentile: float = Field(99.99, gt=50, le=100)
    """A layer's clip starts at this percentile of its input's magnitude."""
    min_clip: float = Field(0.1, gt=0)
    """Lower bound of a clip."""
    clip_l2: float = Field(2e-5, ge=0)
    """L2 decay of the clips."""
    exclude: list[str] = Field([])
    """Layers, by the start of their names, that stay in float."""
    equalize: bool = False
    """Before anything else, make the channels' ranges alike where a ReLU or nothing stands between two layers; the
    float network stays the same."""
    rounding: Literal["nearest", "learned"] = "nearest"
    """``nearest``: weights take the nearest of their levels, after ``train``; ``learned``: instead of that training,
    which of its two neighbouring levels each weight takes is learned, as ``learn`` says, and the clips with it."""
    learn: LearnedRounding = LearnedRounding()
    """For ``rounding: learned``."""
    correct_bias: bool = False
    """Take away what 8 bits do to the means of what layers give: before ``train``, or after ``learn``."""
    train: QuantTraining = QuantTraining()
    """Quantization-aware training; with ``epochs: 0`` the network is calibrated only."""


class Slim(Section):
    """The slim stage: pruning first, then quantization."""

    max_metric_drop: float | None = Field(0.03, ge=0)
    """Largest drop of the metric from the network as trained to the slimmed one, measured on ``data.test`` where there
    is one, else on ``data.eval``; one whose confidence interval reaches 0 may be chance, and passes, unless the metric
    falls to 0. Beyond it the stage ends with exit code 1; its files are kept. null: not checked."""
    choose_box_thresh: bool = True
    """Give a detector that was pruned the ``det_postprocess.box_thresh`` with which it has the largest hmean on
    ``data.eval``, where that is more than chance: with the recipe's it may lose boxes that it is less sure of. Without
    ``distill.labels``, up to 80 pictures are made up of ``data.train``."""
    prune: Prune = Prune()
    quant: Quant = Quant()
