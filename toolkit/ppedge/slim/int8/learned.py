"""Rounding that is learned: which of its two neighbouring levels each weight takes, and each layer's clip.

Sources: Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", ICML 2020, for the rectified
sigmoid and the regularizer that drives it to 0 or 1; Li et al., "BRECQ", ICLR 2021, for units of several layers, which
learn what the float unit gives from what the units before them give in 8 bits; Esser et al., "Learned Step Size
Quantization", ICLR 2020, for the gradient of a clip. No label is looked at.

The levels are those to which `ppedge.slim.int8.rounding.nearest` and Paddle round: the largest magnitude of each
output channel is level 127. It keeps that level, so whoever rounds the learned weights to the nearest level finds them
as they were learned, and the exported file has them to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import paddle
from paddle.autograd import PyLayer, PyLayerContext
from paddle.utils import unique_name

from ppedge.recipe.slim import LearnedRounding
from ppedge.slim.int8.rounding import LEAST, LEVELS, OUTPUT_AXIS, Rounding, channel_steps, nearest, round_layer, rounded
from ppedge.slim.int8.units import Unit
from ppedge.slim.watch import watch
from ppedge.train.recorder import INPUT

STRETCH = 1.2
"""Of the sigmoid, from -.1 to 1.1, so that 0 and 1 are reached: zeta - gamma of the paper."""
BETAS = (20.0, 2.0)
"""Exponent of the regularizer, from first to last: first only those near a level are drawn to it."""
FREE = 0.2
"""Share of the iterations before the regularizer begins."""
PINNED = 1e-3
"""A weight as near as this to level 127 keeps it."""
OF_CLIP = 0.1
"""Learning rate of the clips' logarithms, relative to that of the rounding."""


@dataclass(frozen=True)
class Learned:
    """What was learned so far.

    Attributes:
        roundings: The 8 bits of layers, each weight on a level of its output channel.
        errors: By unit, the mean squared difference of what it gives from what the float unit gives, relative to the
            variance, the units before it being quantized already: with weights rounded to the nearest level, and with
            what was learned. The second is not above the first: where learning does not help, the nearest are kept.
    """

    roundings: dict[str, Rounding] = field(default_factory=dict)
    errors: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of_state(cls, state: Mapping[str, np.ndarray]) -> Learned:
        """Return what `state` gave."""
        layers = [name.removesuffix(".clip") for name in state if name.endswith(".clip")]
        errors = {name.removesuffix(".errors"): value for name, value in state.items() if name.endswith(".errors")}
        return cls(
            {name: Rounding(state[f"{name}.weight"], float(state[f"{name}.clip"][0])) for name in layers},
            {name: (float(before), float(after)) for name, (before, after) in errors.items()},
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return all of it as arrays, to be kept in a file."""
        kept = {f"{name}.weight": one.weight for name, one in self.roundings.items()}
        kept |= {f"{name}.clip": np.array([one.clip]) for name, one in self.roundings.items()}
        return kept | {f"{name}.errors": np.array(both) for name, both in self.errors.items()}


def learn_rounding(
    net: paddle.nn.Layer,
    teacher: paddle.nn.Layer,
    units: Sequence[Unit],
    clips: Mapping[str, float],
    pictures: Sequence[paddle.Tensor],
    settings: LearnedRounding,
    seed: int,
    *,
    known: Learned | None = None,
    keep: Callable[[Learned], None] = lambda learned: None,
) -> Learned:
    """Learn the rounding of layers unit by unit; equal inputs give equal results, wherever a learning is taken up.

    Args:
        net: A float network in eval mode. Afterwards the weights of the layers learned are on their levels.
        teacher: The same network, which stays as it is.
        units: Of the network, as `ppedge.slim.int8.units.units_of` finds them.
        clips: By layer, where its clip starts.
        pictures: Inputs (N, 3, H, W), a batch or more.
        settings: Of the recipe.
        seed: Of the order of the batches.
        known: What an interrupted learning had.
        keep: Called after each unit with all that is learned so far.
    """
    learned, teachers, handles = known or Learned(), dict(teacher.named_sublayers()), []
    pictures = [part for batch in pictures for part in _divided(batch, settings.batch_size)]
    layers = dict(net.named_sublayers())
    trainable = [parameter for parameter in net.parameters() if not parameter.stop_gradient]
    try:
        for parameter in trainable:
            parameter.stop_gradient = True
        given: list[paddle.Tensor] = []
        wanted: list[paddle.Tensor] = []
        for number, unit in enumerate(units):
            if unit.name in learned.errors:
                given = []
            else:
                # Going on from the unit before spares all that comes before that.
                chained = given and unit.chained
                given = _run(units[number - 1].layer, given) if chained else _given(net, unit, pictures)
                wanted = wanted if chained else _given(teacher, unit, pictures)
                wanted = _run(teachers[unit.name], wanted)
                lesson = _Lesson(net, unit, clips, given, wanted)
                learned.errors[unit.name] = lesson.learn(settings, np.random.default_rng([seed, number]))
                learned.roundings.update(lesson.best)
                keep(learned)
            handles += [round_layer(layers[name], learned.roundings[name]) for name in unit.inside]
    finally:
        for handle in handles:
            handle.remove()
        for parameter in trainable:
            parameter.stop_gradient = False
    return learned


def _divided(batch: paddle.Tensor, size: int) -> list[paddle.Tensor]:
    return [batch[begin : begin + size] for begin in range(0, batch.shape[0], size)]


def _given(net: paddle.nn.Layer, unit: Unit, pictures: Sequence[paddle.Tensor]) -> list[paddle.Tensor]:
    """Return what a unit of a network is given for each batch."""
    place = f"{unit.name}{INPUT}"
    return [watch(net, [place], picture)[place] for picture in pictures]


def _run(layer: paddle.nn.Layer, batches: Sequence[paddle.Tensor]) -> list[paddle.Tensor]:
    with paddle.no_grad():
        return [layer(x) for x in batches]


class _ClippedRounding(PyLayer):
    """Clip to [-clip, clip] and round to 8 bits; the gradient goes straight through the rounding."""

    @staticmethod
    def forward(ctx: PyLayerContext, x: paddle.Tensor, clip: paddle.Tensor) -> paddle.Tensor:
        y = paddle.round(paddle.clip(x / clip, -1.0, 1.0) * LEVELS) * (clip / LEVELS)
        ctx.wanted = not x.stop_gradient
        ctx.save_for_backward(x, y, clip)
        return y

    @staticmethod
    def backward(ctx: PyLayerContext, gradient: paddle.Tensor) -> tuple[paddle.Tensor | None, paddle.Tensor]:
        x, y, clip = ctx.saved_tensor()
        inside = (paddle.abs(x) <= clip).astype(x.dtype)
        # Of a value inside, the rounding error grows with the clip; outside, the value itself does.
        of_clip = (gradient * (inside * (y - x) + (1.0 - inside) * y)).sum() / clip
        return gradient * inside if ctx.wanted else None, of_clip.reshape(clip.shape)


class _LayerRounding:
    """The rounding of one layer while it is learned."""

    def __init__(self, layer: Any, clip: float) -> None:
        self.layer, self._start = layer, clip
        weight = layer.weight.numpy()
        self._step = channel_steps(weight, OUTPUT_AXIS[type(layer)])
        levels = weight / self._step
        # The largest of a channel is 127 steps, or all are 0 and have no level to choose.
        pinned = (np.abs(levels) > LEVELS - PINNED) | (self._step <= LEAST / LEVELS)
        self._base = np.where(pinned, np.round(levels), np.floor(levels)).astype(np.float32)
        share = np.clip(levels - self._base, 0.01, 0.99)
        inner = (share + (STRETCH - 1) / 2) / STRETCH
        self._free = paddle.to_tensor(1.0 - pinned.astype(np.float32))
        self.logits = _parameter(np.log(inner / (1 - inner)))
        self.log_clip = _parameter(np.zeros([1]), OF_CLIP)

    def up(self) -> paddle.Tensor:
        """Return the share of a step by which each weight is above its lower level, 0 to 1."""
        stretched = paddle.nn.functional.sigmoid(self.logits) * STRETCH - (STRETCH - 1) / 2
        return paddle.clip(stretched, 0.0, 1.0) * self._free

    def undecided(self, beta: float) -> paddle.Tensor:
        """Return the regularizer: 1 for a weight half-way between its levels, 0 for one on a level."""
        return (1 - (2 * self.up() - 1).abs() ** beta).mean()

    def clip(self) -> paddle.Tensor:
        """Return the clip as it stands."""
        return self._start * paddle.exp(self.log_clip)

    def rounding(self) -> Rounding:
        """Return what was learned, each weight on the level that it is nearer to."""
        levels = self._base + (self.up().numpy() >= 0.5)
        return Rounding((levels * self._step).astype(np.float32), float(self.clip()))

    def hook(self, layer: Any, inputs: tuple[paddle.Tensor, ...]) -> paddle.Tensor:
        """Let the layer compute with the weights as they stand, and round what it is given."""
        # Before the parameter of this name, which is no part of what is learned.
        layer.__dict__["weight"] = (paddle.to_tensor(self._base) + self.up()) * paddle.to_tensor(self._step)
        return _ClippedRounding.apply(inputs[0], self.clip())


def _parameter(start: np.ndarray, rate: float = 1.0) -> Any:
    """Return what learns, at a rate relative to the optimizer's."""
    attribute = paddle.ParamAttr(initializer=paddle.nn.initializer.Assign(start), learning_rate=rate)
    return paddle.create_parameter(start.shape, "float32", attr=attribute)


class _Lesson:
    """The learning of one unit.

    Attributes:
        best: The 8 bits of its layers: those that were learned, or the nearest levels where these are no worse.

    Args:
        net: The network; it is the same afterwards.
        unit: Of it.
        clips: Where those of its layers start.
        given: What the unit is given, the units before it being quantized, by batch.
        wanted: What it should give.
    """

    def __init__(
        self,
        net: paddle.nn.Layer,
        unit: Unit,
        clips: Mapping[str, float],
        given: Sequence[paddle.Tensor],
        wanted: Sequence[paddle.Tensor],
    ) -> None:
        self._net, self._unit, self._given, self._wanted = net, unit, given, wanted
        layers = dict(net.named_sublayers())
        self.best = {name: nearest(layers[name], clips[name]) for name in unit.inside}
        with unique_name.guard("rounding_"):  # the names of whatever is built later stay as they are
            self._roundings = {name: _LayerRounding(layers[name], clips[name]) for name in unit.inside}
        self._variance = max(float(np.mean([float(((y - y.mean()) ** 2).mean()) for y in wanted])), LEAST)

    def learn(self, settings: LearnedRounding, rng: np.random.Generator) -> tuple[float, float]:
        """Learn, and return the unit's error with the nearest levels and with the best."""
        roundings = list(self._roundings.values())
        optimizer = paddle.optimizer.Adam(
            settings.learning_rate, parameters=[part for one in roundings for part in (one.logits, one.log_clip)]
        )
        handles = [one.layer.register_forward_pre_hook(one.hook) for one in roundings]
        try:
            for number in range(settings.iterations):
                chosen = int(rng.integers(len(self._given)))
                loss = self._error(chosen)
                progress = (number / settings.iterations - FREE) / (1 - FREE)
                if progress >= 0:
                    beta = BETAS[1] + (BETAS[0] - BETAS[1]) * (1 + math.cos(math.pi * progress)) / 2
                    loss = loss + settings.regularization * sum(one.undecided(beta) for one in roundings)
                loss.backward()
                optimizer.step()
                optimizer.clear_grad()
        finally:
            for handle in handles:
                handle.remove()
            for one in roundings:
                one.layer.__dict__.pop("weight", None)
        learned = {name: one.rounding() for name, one in self._roundings.items()}
        before, after = self._error_of(self.best), self._error_of(learned)
        if after >= before:
            return before, before
        self.best = learned
        return before, after

    def _error(self, batch: int) -> paddle.Tensor:
        return ((self._unit.layer(self._given[batch]) - self._wanted[batch]) ** 2).mean() / self._variance

    def _error_of(self, roundings: Mapping[str, Rounding]) -> float:
        with paddle.no_grad(), rounded(self._net, roundings):
            return float(np.mean([float(self._error(batch)) for batch in range(len(self._given))]))
