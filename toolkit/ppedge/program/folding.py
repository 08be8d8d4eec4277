"""Multiplications and additions of constants, folded into convolutions.

PP-OCRv4's networks multiply and add one learned number each behind every convolution and activation (learnable affine
blocks). Paddle Lite computes either with its general elementwise kernel, 51 instructions an element; a convolution
carries both in its weights and bias for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ppedge.files.for_opt import JOINED
from ppedge.program.affine import Affine, affine_chain, affine_of, composed
from ppedge.program.changes import Change
from ppedge.program.convolution import CONVOLUTIONS, Convolution
from ppedge.program.operator import Operator, Value
from ppedge.program.program import Program

_BIAS, _BEFORE, _BEHIND, _SCALE = "plain-bias", "fold-before", "fold-behind", "one-scale"
_SCALARS = ("elementwise_mul", "elementwise_add")


def plain_bias(program: Program) -> list[Change]:
    """Add a bias that the program gives four axes first as it is, along axis 1: the form that opt joins.

    Not a bit of the numbers changes, so that quantized convolutions, which `fold_before` leaves alone, may have it; but
    for transposed ones, which Paddle Lite computes wrongly with what opt joins: see `ppedge.convert.lite`.
    """
    changes = []
    for operator in program.operators:
        if operator.type != "elementwise_add" or operator.get("axis", -1) not in (-1, 0):
            continue
        reshaped = program.writer(operator.input("Y"))
        affine = affine_of(program, operator)
        if reshaped is None or affine is None or affine.source != operator.input("X"):
            continue
        name, shape = reshaped.input("X"), program.shape(affine.source)
        array = program.constant(name)
        if _is_rounded_transposed(program, affine.source):
            continue
        if array is not None and len(shape) == 4 and array.shape == shape[1:2]:
            operator.set_input("Y", [name])
            operator.set("axis", 1)
            changes.append(Change(_BIAS, name, "added along one axis, without a reshape"))
    program.drop_dead()
    return changes


def _is_rounded_transposed(program: Program, name: str) -> bool:
    """Whether a variable is what a transposed convolution makes whose filter is rounded to 8 bits."""
    writer = program.writer(name)
    return (
        writer is not None
        and writer.type == "conv2d_transpose"
        and (rounding := program.writer(writer.input("Filter"))) is not None
        and rounding.type.startswith("fake_")
    )


def fold_before(program: Program) -> list[Change]:
    """Fold constants, biases and BatchNorms into the convolution whose output they alone read.

    A bias stays an addition of one axis, the form that opt joins with its convolution.
    """
    changes = []
    for operator in list(program.operators):
        convolution = Convolution.of(program, operator)
        if convolution is None:
            continue
        chain = affine_chain(program, convolution.operator.output("Output"), convolution.channels)
        bias = convolution.bias()
        if not chain or (bias is not None and len(chain) == 1):
            continue
        folded = Counter(one.type for one, _ in chain)
        whole = composed([affine for _, affine in chain])
        if not (np.isfinite(whole.scale).all() and np.isfinite(whole.shift).all()):
            continue
        _carry(convolution, [one for one, _ in chain], whole)
        what = ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in folded.items())
        changes.append(Change(_BEFORE, convolution.name, f"{what} into the convolution"))
    program.drop_dead()
    return changes


def _carry(convolution: Convolution, chain: Sequence[Operator], whole: Affine) -> None:
    """Let a convolution, and its bias, compute all of a chain."""
    program, channels = convolution.program, convolution.channels
    scale = np.broadcast_to(whole.scale, (channels,))
    by_output = (1, channels, 1, 1) if convolution.transposed else (channels, 1, 1, 1)
    convolution.set_filter(convolution.filter * scale.reshape(by_output))
    for one in chain:
        program.remove(one)
    if np.any(whole.shift):
        convolution.end_as(whole.target, np.broadcast_to(whole.shift, (channels,)))
    else:
        convolution.operator.set_output("Output", [whole.target])


def fold_behind(program: Program) -> list[Change]:
    """Fold constants into the convolutions that alone read what they make.

    A constant that is added passes a convolution without padding alone: at a padded border the convolution reads zeros
    where the constant has not been added.
    """
    changes = []
    for operator in reversed(list(program.operators)):
        affine = affine_of(program, operator)
        if affine is None or operator.type not in (*_SCALARS, "scale"):
            continue
        readers = program.readers(affine.target)
        convolutions = [Convolution.of(program, one) for one in readers]
        if program.writer(affine.target) is None or program.writer(affine.source) is None or not readers:
            continue
        able = [one for one in convolutions if one is not None and _takes(one, affine)]
        if len(able) < len(readers):
            continue
        for one in able:
            _take(one, affine)
            changes.append(Change(_BEHIND, one.name, f"{operator.type} before the convolution into it"))
        program.remove(operator)
    program.drop_dead()
    return changes


def _takes(convolution: Convolution, affine: Affine) -> bool:
    """Whether a convolution can read what an operator is given in the place of what it makes."""
    if convolution.operator.input("Input") != affine.target or not affine.fits(_inputs(convolution)):
        return False
    return convolution.unpadded or not np.any(affine.shift)


def _inputs(convolution: Convolution) -> int:
    if convolution.transposed:
        return int(convolution.filter.shape[0])
    return int(convolution.filter.shape[1]) * convolution.groups


def _take(convolution: Convolution, affine: Affine) -> None:
    inputs, groups = _inputs(convolution), convolution.groups
    scale, shift = (np.broadcast_to(one, (inputs,)) for one in (affine.scale, affine.shift))
    old = convolution.filter.astype(np.float64)
    if convolution.transposed:
        convolution.set_filter(old * scale.reshape(inputs, 1, 1, 1))
    else:
        # Each output reads the inputs of its own group.
        by_output = (np.repeat(one.reshape(groups, -1), len(old) // groups, axis=0) for one in (scale, shift))
        gains, shifts = (one[:, :, None, None] for one in by_output)
        convolution.set_filter(old * gains)
        if np.any(shift):
            convolution.add((old * shifts).sum(axis=(1, 2, 3)))
    convolution.operator.set_input("Input", [affine.source])


def one_scale(program: Program) -> list[Change]:
    """Compute what is left of single constants, in a row, by one operator each, whose kernel is fast.

    Behind an activation that is a ``batch_norm``, also where the program had a ``scale``: opt joins the activation with
    its convolution, and then a ``scale`` with both, as if it stood before the activation.
    """
    changes = []
    for operator in list(program.operators):
        if operator.type not in (*_SCALARS, "scale") or all(operator is not one for one in program.operators):
            continue
        affine = affine_of(program, operator)
        if affine is None or not affine.scalar or _is_bias(program, operator, affine):
            continue
        if operator.type == "scale" and (_is_identity(affine) or not _is_joined(program, affine.source)):
            continue
        chain = [(operator, affine)]
        for reader, behind in affine_chain(program, affine.target, channels=0):
            if reader.type not in (*_SCALARS, "scale"):
                break
            chain.append((reader, behind))
        whole = composed([one for _, one in chain])
        made = _one_operator(program, whole)
        if made is None:
            continue
        where = _weight(program, operator)
        program.insert([made], before=operator)
        for one, _ in chain:
            program.remove(one)
        changes.append(Change(_SCALE, where, f"{' and '.join(one.type for one, _ in chain)} as one {made.type}"))
    program.drop_dead()
    return changes


def _is_identity(affine: Affine) -> bool:
    return bool(np.all(affine.scale == 1) and np.all(affine.shift == 0))


def _is_joined(program: Program, name: str) -> bool:
    """Whether a variable is what an activation makes that opt joins with the convolution before it."""
    writer = program.writer(name)
    return writer is not None and writer.type in JOINED


def _one_operator(program: Program, whole: Affine) -> Operator | None:
    """Return one operator for single constants; None if opt would make a wrong one of it.

    opt folds a ``scale`` behind a convolution with its activation into the convolution's weights, as if there were no
    activation. So it becomes a BatchNorm there, which opt joins with a convolution directly before it alone.
    """
    before = program.writer(whole.source)
    if before is not None and before.type not in (*JOINED, *CONVOLUTIONS, "elementwise_add", "batch_norm"):
        attributes: dict[str, Value] = {
            "scale": float(whole.scale),
            "bias": float(whole.shift),
            "bias_after_scale": True,
        }
        return Operator.make("scale", {"X": [whole.source]}, {"Out": [whole.target]}, attributes)
    shape = program.shape(whole.source)
    if not _is_joined(program, whole.source) or len(shape) != 4 or shape[1] <= 0:
        return None
    inputs = {"X": [whole.source]}
    for slot, value in (("Scale", whole.scale), ("Bias", whole.shift), ("Mean", 0), ("Variance", 1)):
        array = np.full(shape[1], value, np.float32)
        inputs[slot] = [program.add_weight(f"{whole.target}.{slot.lower()}", array, origin=whole.target)]
    outputs = {"Y": [whole.target], "MeanOut": inputs["Mean"], "VarianceOut": inputs["Variance"]}
    for slot in ("SavedMean", "SavedVariance"):
        outputs[slot] = [program.add_variable(f"{whole.target}.{slot}", inputs["Mean"][0])]
    attributes = {"epsilon": 0.0, "momentum": 0.9, "is_test": True, "use_global_stats": True, "data_layout": "NCHW",
                  "trainable_statistics": False}  # fmt: skip
    return Operator.make("batch_norm", inputs, outputs, attributes)


def _is_bias(program: Program, operator: Operator, affine: Affine) -> bool:
    """Whether an operator adds the bias of a convolution to one channel, in the form that opt joins with it."""
    before = program.writer(affine.source)
    joined = operator.type == "elementwise_add" and operator.get("axis", -1) == 1
    return joined and before is not None and before.type in CONVOLUTIONS


def _weight(program: Program, operator: Operator) -> str:
    return next((name for name in operator.reads if name in program.weights), operator.output("Out"))
