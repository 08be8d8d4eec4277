"""``.pdparams`` files: read without running what is in them, written reproducibly, every name and shape checked.

A ``.pdparams`` file is a pickle, and unpickling runs whatever the file asks for. `read_pdparams` therefore runs
nothing: `models.pickled` knows the handful of instructions and names that a saved array consists of.
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ppedge.errors import PpedgeError, cut, shown
from ppedge.models import pickled
from ppedge.models.recognised import keys_of_classes, network_of
from ppedge.storage import atomic_write

if TYPE_CHECKING:
    from paddle import Tensor, nn

State = dict[str, np.ndarray]

# Paddle's table from structured names to parameter names; it carries no weights.
NAME_TABLE = "StructuredToParameterName@@"
# What lies beside weights and is named by mistake; of an optimizer's state, entries that tell it in a file of any name.
_INFERENCE, _TRAINING = ".pdiparams", (".pdopt", ".states", ".pdstates")
_SCHEDULER, _MOMENT = "LR_Scheduler", "_moment1_0"
PROTOCOL = 4
# The first convolution of ResNet as it was published, which no network here has; ResNet-D has three of 3x3 instead.
OTHER_RESNET = (64, 3, 7, 7)
LISTED = 5
# Layers with branches have either these parts or those, in all weights; and the key of the recipe that says which. See
# `ppedge.models.rep` and the backbones and necks that have branches.
BACKBONE_FOLDED, NECK_FOLDED = "model.backbone.folded", "model.neck.folded"
FORMS = (
    (".conv_kxk.", ".reparam_conv.", BACKBONE_FOLDED),
    (".rep_dw.conv1.", ".reparam_conv.", BACKBONE_FOLDED),
    (".dil_conv_", ".lk_origin.bias", NECK_FOLDED),
)


def read_pdparams(path: Path) -> State:
    """Read weights without Paddle and without running anything the file asks for.

    Both of Paddle's layouts are read: arrays beside a name table (2.0), and pairs of parameter name and array (2.1 and
    later).

    Args:
        path: A ``.pdparams`` file.

    Returns:
        The arrays by structured name, in the file's order.

    Raises:
        PpedgeError: The file is missing, damaged, asks for anything but arrays and plain containers, or holds something
        else.
    """
    if path.suffix == _INFERENCE:
        raise PpedgeError(
            f"{path}: weights of an inference model, which have no names of layers.",
            "`ppedge weights from-inference` makes a .pdparams file of them.",
        )
    if path.suffix in _TRAINING:
        raise _state_of_training(path)
    content = read_pickle(path, ".pdparams")
    if not isinstance(content, dict):
        raise PpedgeError(f"{path}: holds no table of weights.", "Save a network's state_dict.")
    if _SCHEDULER in content or any(str(key).endswith(_MOMENT) for key in content):
        raise _state_of_training(path)
    return {key: _array(path, key, value) for key, value in content.items() if key != NAME_TABLE}


def _state_of_training(path: Path) -> PpedgeError:
    return PpedgeError(
        f"{path}: the state of an optimizer or of a training, not a network's weights.",
        "Name the .pdparams file that lies beside it.",
    )


def read_pickle(path: Path, kind: str) -> Any:
    """Read a pickle of arrays and plain containers without running anything it asks for; see `models.pickled`.

    Args:
        path: The file.
        kind: The ending of such files, for errors.

    Raises:
        PpedgeError: The file is missing, damaged, or asks for anything else.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise PpedgeError(f"{path}: no such file.", "Check the path of the weights.") from error
    except OSError as error:
        raise PpedgeError(f"{path}: cannot be read ({error.strerror}).", f"Name a {kind} file.") from error
    try:
        return pickled.load(data)
    except pickled.RefusedError as error:
        raise PpedgeError(
            f"{path}: refused, since it asks for {error} and weights need only arrays.",
            "Get the file from a source you trust, as a state_dict saved by Paddle.",
        ) from error
    except pickled.DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise PpedgeError(f"{path}: not a whole {kind} file ({reason}).", "Copy or download it again.") from error


def _array(path: Path, key: object, value: object) -> np.ndarray:
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]
    if not isinstance(key, str) or not isinstance(value, pickled.Array) or value.value is None:
        raise PpedgeError(
            f"{path}: the entry {shown(key)} is not an array.", "Save a network's state_dict and nothing else."
        )
    return value.value


def write_pdparams(path: Path, state: Mapping[str, np.ndarray]) -> None:
    """Write weights so that ``paddle.load`` and `read_pdparams` read them; equal weights give equal bytes.

    Args:
        path: The file; it appears whole or not at all.
        state: Arrays by structured name.
    """
    # Sorted, and copied so that no two entries share an object: the pickle depends on nothing but names and values.
    arrays = {key: np.array(state[key], dtype=state[key].dtype.newbyteorder("="), order="C") for key in sorted(state)}
    with atomic_write(path) as file:
        pickle.dump(arrays, file, protocol=PROTOCOL)


def state_of(net: nn.Layer) -> State:
    """Return copies of a network's parameters and buffers, by structured name, aliases included."""
    return {name: np.array(tensor.numpy()) for name, tensor in net.state_dict().items()}


def load_weights(
    net: nn.Layer, state: Mapping[str, np.ndarray], where: str | Path, fresh: Collection[str] = ()
) -> None:
    """Set all parameters and buffers of a network; every name and shape must match.

    An LSTM's parameters have two names each (``lstm.weight_ih_l0`` and ``lstm.0.cell_fw.weight_ih``): either or both
    may be given.

    Args:
        net: The network.
        state: Arrays by structured name.
        where: The file they come from, for the error.
        fresh: Names in the network that keep their values, whatever the state has for them.

    Raises:
        PpedgeError: Names are missing or unexpected, shapes differ, values are not finite, or the two names of one
            parameter carry different values. The network is unchanged then.
    """
    _refuse_other_resnet(state, where)
    target: dict[str, Tensor] = net.state_dict()
    _require_form(target, state, where)
    unexpected = [key for key in state if key not in target]
    _set({name: tensor for name, tensor in target.items() if name not in fresh}, state, where, unexpected, state)


def load_backbone(net: nn.Layer, state: Mapping[str, np.ndarray], where: str | Path) -> list[str]:
    """Set a network's backbone from a whole network's weights or from a classifier's.

    Args:
        net: The network; its other parts keep their weights.
        state: Arrays by structured name, with or without the prefix ``backbone.``.
        where: The file they come from, for the error.

    Returns:
        Names that were left out: layers the backbone has not, such as a classifier's last ones, or
        squeeze-and-excitation in a backbone built without it.

    Raises:
        PpedgeError: A layer of the backbone is missing, or a shape differs. The network is unchanged then.
    """
    _refuse_other_resnet(state, where)
    target: dict[str, Tensor] = net.backbone.state_dict()
    _require_form(target, state, where)
    prefix = "backbone."
    prefixed = any(key.startswith(prefix) for key in state)
    found = {key[len(prefix) :] if prefixed else key: key for key in state if key.startswith(prefix) or not prefixed}
    used = {name: key for name, key in found.items() if name in target}
    _set(target, {name: state[key] for name, key in used.items()}, where, [], state)
    taken = set(used.values())
    return [key for key in state if key not in taken]


def _refuse_other_resnet(state: Mapping[str, np.ndarray], where: str | Path) -> None:
    """Name what a long list of missing and unexpected names would hide: ResNet is two networks in PaddleOCR's files."""
    if any(array.shape == OTHER_RESNET for array in state.values()):
        raise PpedgeError(
            f"{where}: these are weights of a ResNet whose first convolution is 7x7; ResNet_vd, which PaddleOCR called "
            "ResNet until June 2022, is another network and cannot take them.",
            "Use weights of ResNet_vd, whose first layers are conv1_1, conv1_2 and conv1_3.",
        )


def _require_form(target: Iterable[str], state: Iterable[str], where: str | Path) -> None:
    """Fail if one of a network and its weights has branches that the other has folded into single convolutions."""
    for branches, one, key in FORMS:
        for ours, theirs, words, value in (
            (branches, one, "re-parameterised, and the network has branches", "true"),
            (one, branches, "those of branches, and the network is re-parameterised", "false"),
        ):
            if any(ours in name for name in target) and any(theirs in name for name in state):
                raise PpedgeError(f"{where}: the weights are {words}.", f"Set {key} to {value}.")


def _set(
    target: Mapping[str, Tensor],
    state: Mapping[str, np.ndarray],
    where: str | Path,
    unexpected: list[str],
    whole: Mapping[str, np.ndarray],
) -> None:
    """Set tensors; ``whole`` is all that the file has, by which its network is told if this one is another."""
    groups: dict[int, list[str]] = {}
    for name, tensor in target.items():
        groups.setdefault(id(tensor), []).append(name)
    missing = [names[0] for names in groups.values() if not any(name in state for name in names)]
    other = [name for name in target if name in state and list(state[name].shape) != list(target[name].shape)]
    shapes = [f"{cut(name)} {list(state[name].shape)} instead of {list(target[name].shape)}" for name in other]
    torn = [names[0] for names in groups.values() if not _agree([state[name] for name in names if name in state])]
    broken = [name for name in target if name in state and not np.isfinite(state[name]).all()]
    problems = [
        _list(missing, "missing"),
        _list([cut(name) for name in unexpected], "unexpected"),
        _list(shapes, "of another shape"),
        _list(broken, "not finite"),
        _list(torn, "given twice with different values"),
    ]
    if any(problems):
        theirs = network_of(whole) if missing or unexpected or other else ""
        keys = keys_of_classes(whole, other) if other and not (missing or unexpected) else ""
        raise _misfit(where, [f"they are of {theirs}" if theirs else "", *problems], keys)
    for names in groups.values():
        name = next(name for name in names if name in state)
        tensor = target[name]
        tensor.set_value(state[name].astype(tensor.numpy().dtype))


def _misfit(where: str | Path, problems: list[str], keys: str) -> PpedgeError:
    """Return what is said of weights that do not fit; of a file also what says more of it."""
    if keys:
        hint = f"These weights were trained with {keys}."
    else:
        hint = "Use weights of the same model section (and character set), or change the recipe's model."
    if isinstance(where, Path):
        hint += f" `ppedge weights show {where}` says what the file holds, and which recipe fits it."
    return PpedgeError(f"{where}: the weights do not fit the network: {'; '.join(p for p in problems if p)}.", hint)


def _agree(arrays: Iterable[np.ndarray]) -> bool:
    first, *others = arrays if (arrays := list(arrays)) else [np.empty(0)]
    return all(np.array_equal(first, other) for other in others)


def _list(names: list[str], what: str) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > LISTED else ""
    return f"{len(names)} {what} ({', '.join(names[:LISTED])}{more})"
