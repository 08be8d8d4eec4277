"""What a training starts from: weights of the recipe's network, of its backbone, or of one with another head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ppedge.data.source import read_charset
from ppedge.models.guides.aux_db import AuxDBHead
from ppedge.models.guides.nrtr import NRTRHead
from ppedge.models.guides.sar import SARHead
from ppedge.models.network import Network
from ppedge.models.weight_parts import THRESHOLD, of_guide, pick, without_guides
from ppedge.models.weights import State, load_backbone, load_weights, read_pdparams
from ppedge.ocr.charset import BUILT_IN
from ppedge.progress import Reporter
from ppedge.recipe.road import Recipe
from ppedge.train.origin import check_origin
from ppedge.train.task import Task

_HEAD = "head."


def start_weights(net: Network, task: Task, reporter: Reporter) -> None:
    """Set the weights that a recipe names; what the files have not, or have for other classes, starts fresh.

    Args:
        net: The recipe's network, freshly built.
        task: The recipe's.
        reporter: Told what starts fresh or is left out.

    Raises:
        PpedgeError: A file is damaged, does not fit, or was trained with other settings than the recipe's.
    """
    train = task.recipe.train
    if train.weights is not None:
        path = train.weights
        state = without_guides(read_part(path, "train.weights", reporter.say))
        fresh = _fresh(net, task, state)
        load_weights(net, state, path, fresh)
        other_classes = bool(fresh) and task.charset is not None
        if other_classes:
            read_charset(task.recipe, exists=False)  # these classes are those of a new head
        charset = None if other_classes else task.charset
        check_origin(task.recipe, state, path, "train.weights", charset=charset, say=reporter.say)
        if fresh:
            reporter.say(f"train.weights {path}: {_told(net, task, state, fresh)}; everything else is taken")
    if train.backbone_weights is not None:
        start_backbone(net, task.recipe, train.backbone_weights, "train.backbone_weights", reporter.say)


def start_backbone(net: Network, recipe: Recipe, path: Path, key: str, say: Callable[[str], None]) -> None:
    """Set the weights of a network's backbone; what else the file has, a classifier's layers, is left out.

    Args:
        net: The network, freshly built.
        recipe: One whose network has these parts.
        path: The file.
        key: The key of the recipe that names it.
        say: Told how much is left out.

    Raises:
        PpedgeError: The file is damaged, does not fit, or was trained with other settings than the recipe's.
    """
    state = read_part(path, key, say)
    left_out = load_backbone(net, state, path)
    check_origin(recipe, state, path, key, charset=None, say=say, of="model.backbone.")
    say(f"{key} {path}: the backbone starts from it; {len(left_out)} of its entries have no place in this network")


def read_part(path: Path, key: str, say: Callable[[str], None], part: str | None = None) -> State:
    """Read the weights of one network, the student's where a file is the checkpoint of a distillation.

    Args:
        path: The file.
        key: The key of the recipe that names it.
        say: Told which part of a checkpoint is taken.
        part: The part to take; see `ppedge.models.weight_parts.pick`.

    Raises:
        PpedgeError: The file is damaged, or has no such part.
    """
    state, taken = pick(read_pdparams(path), path, part)
    if taken is not None:
        say(f"{key} {path}: the checkpoint of a distillation, of which {taken} is taken")
    return state


def start_guide(
    head: SARHead | NRTRHead | AuxDBHead,
    name: str,
    state: Mapping[str, np.ndarray],
    path: Path,
    key: str,
    say: Callable[[str], None],
) -> None:
    """Set a guide's weights from those of a network that was trained with it; what is not there starts fresh.

    Args:
        head: The guide, freshly built.
        name: Its name in recipes.
        state: Of the network, as `read_part` gives it.
        path: The file it comes from.
        key: The key of the recipe that names it.
        say: Told what starts fresh.

    Raises:
        PpedgeError: The guide in the file is another.
    """
    own = of_guide(state, name)
    if not own:
        say(f"{key} {path}: it has no {name}, as exported networks have none: that starts fresh")
        return
    there = head.state_dict()
    fresh = [n for n in head.of_classes if n in own and list(own[n].shape) != list(there[n].shape)]
    load_weights(head, own, f"{path}, {name}", fresh)
    if fresh:
        say(f"{key} {path}: its {name} has other classes: {', '.join(fresh)} start fresh")


def missing_threshold(net: Network, state: Mapping[str, np.ndarray]) -> list[str]:
    """Return the names of a detector's threshold head if weights lack it whole; else nothing.

    It serves the loss alone, so that exported detectors have none.
    """
    names = [name for name in net.state_dict() if name.startswith(THRESHOLD)]
    return [] if any(name in state for name in names) else names


def _fresh(net: Network, task: Task, state: Mapping[str, np.ndarray]) -> list[str]:
    """Return the names of what starts fresh: a missing threshold head, or a head's layer for other classes.

    Both are parts that a file may lack or have otherwise for a reason: an exported detector has no threshold head, and
    another dictionary has other classes. Whatever else does not fit is a mistake.
    """
    if threshold := missing_threshold(net, state):
        return threshold
    if task.charset is None:
        return []
    shapes = {name: list(tensor.shape) for name, tensor in net.state_dict().items() if name.startswith(_HEAD)}
    other = [name for name in shapes if name in state and list(state[name].shape) != shapes[name]]
    of_classes = all(list(state[name].shape[:-1]) == shapes[name][:-1] for name in other)
    return other if of_classes else []


def _told(net: Network, task: Task, state: Mapping[str, np.ndarray], fresh: list[str]) -> str:
    """Say what starts fresh, and why."""
    if task.charset is None:
        return "it has no threshold head, as exported detectors have none: that starts fresh"
    found, wanted = state[fresh[-1]].shape[-1], task.classes
    data = task.recipe.data
    doubt = ""
    if found == wanted + 1 and data.charset not in BUILT_IN and not data.use_space_char:
        doubt = " (if data.charset is its dictionary, data.use_space_char=true keeps the head)"
    whole = {name for name in net.state_dict() if name.startswith(_HEAD)} == set(fresh)
    what = "the head starts" if whole else f"{', '.join(fresh)} start"
    return f"its head has {found} classes and data.charset has {wanted}: {what} fresh{doubt}"
