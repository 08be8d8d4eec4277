"""From an ONNX file to the weights of the published network that it is, held against what a runtime computes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import paddle

from ppedge.engines import open_engine
from ppedge.errors import PpedgeError
from ppedge.figures import held
from ppedge.models import zoo
from ppedge.models.from_onnx.fit import UnfitError, fill
from ppedge.models.from_onnx.layers import FileLayers, read_layers
from ppedge.models.network import Network
from ppedge.models.published import PUBLISHED, Published
from ppedge.models.weight_parts import THRESHOLD
from ppedge.models.weights import State, state_of
from ppedge.recipe.networks import Model

BOUND = 1e-3
"""Largest difference between the network and the file, of probabilities: rounding alone is up to 1e-4 for detectors."""
SIZES = {"det": (160, 320), "rec": (48, 320), "cls": (48, 192)}
"""Height and width of the picture that both compute."""
_SPREAD = 0.2
"""Between the least and the largest of what the file gives, for the comparison to say something."""
_TEXT = "ppedge 2026"
_OF_TEACHERS = ("ResNet_vd", "PPHGNet_small")


@dataclass(frozen=True)
class FromOnnx:
    """The weights of an ONNX file.

    Attributes:
        network: What they are of.
        state: Arrays by structured name; a detector's threshold head, which no exported network has, is left out.
        difference: The largest between what the network and the file give.
        classes: Of a recogniser or classifier; 0 for a detector.
        characters: What a recogniser's classes from 1 on read as, if the file says it.
        lost_norms: How many BatchNorms were folded into the layers before them, so that their statistics are lost.
    """

    network: Published
    state: State
    difference: float
    classes: int
    characters: list[str] | None
    lost_norms: int


def weights_from_onnx(path: Path) -> FromOnnx:
    """Fill the published network that an ONNX file is with the file's weights.

    Args:
        path: The file, as Paddle2ONNX has made it; what other tools have simplified serves as far as names have stayed.

    Raises:
        MissingError: onnx or onnxruntime is not installed.
        PpedgeError: The file is damaged, of no network that is known, or the network with its weights does not compute
            what the file does.
    """
    found = read_layers(path)
    # Teachers come last: they take seconds to build, and nobody looks for one in an ONNX file.
    fitting = _fitting(found, sorted(PUBLISHED, key=_is_teacher))
    if fitting is None:
        raise PpedgeError(
            f"{path}: its layers are those of no published network that ppedge knows.",
            "Weights are taken out of files of PP-OCR's networks whose layers have kept their shapes.",
        )
    return _checked(path, found, fitting)


def published_of(path: Path) -> Published | None:
    """Return the published network that has an ONNX file's layers, by their shapes alone; None if none has.

    Teachers are not tried.

    Raises:
        MissingError: onnx is not installed.
        PpedgeError: The file is damaged.
    """
    fitting = _fitting(read_layers(path), [one for one in PUBLISHED if not _is_teacher(one)])
    return None if fitting is None else fitting.network


@dataclass(frozen=True)
class _Fitting:
    """A published network that is filled with a file's weights."""

    network: Published
    net: Network
    classes: int
    lost_norms: int


def _is_teacher(network: Published) -> bool:
    return network.model["backbone"]["name"] in _OF_TEACHERS


def _fitting(found: FileLayers, networks: Iterable[Published]) -> _Fitting | None:
    outputs = [layer.arrays["weight"].shape[-1] for layer in found.layers if layer.kind == "MatMul"]
    classes = outputs[-1] if outputs else 0
    for network in networks:
        if (network.task == "det") != (classes == 0):
            continue
        net = zoo.build(Model.model_validate(network.model), cast(zoo.Task, network.task), classes)
        net.eval()
        try:
            lost = fill(net, found.layers, (1, 3, SIZES[network.task][0], SIZES[network.task][0]))
        except UnfitError:
            continue
        return _Fitting(network, net, classes, lost)
    return None


def _checked(path: Path, found: FileLayers, fitting: _Fitting) -> FromOnnx:
    """Return the weights, if the network computes by them what the file does.

    Raises:
        PpedgeError: It does not.
    """
    network, net = fitting.network, fitting.net
    difference = max(_differences(path, net, network.task))
    if not difference <= BOUND:
        found_apart, bound = held(difference, BOUND, digits=2)
        raise PpedgeError(
            f"{path}: its layers have the shapes of {network.name}, but with its weights that gives other numbers "
            f"(difference {found_apart}, bound {bound}).",
            "The names of its weights have been lost or changed. Use the file as Paddle2ONNX has made it.",
        )
    state = {name: array for name, array in state_of(net).items() if not name.startswith(THRESHOLD)}
    return FromOnnx(network, state, difference, fitting.classes, found.characters, fitting.lost_norms)


def _differences(path: Path, net: Network, task: str) -> Iterator[float]:
    """Yield the largest difference between a network and a file, for a picture of each kind."""
    spread = 0.0
    with open_engine("onnxruntime", path) as engine:
        for picture in _pictures(*SIZES[task]):
            [theirs, *_] = engine.run([picture])
            with paddle.no_grad():
                ours = net(paddle.to_tensor(picture)).numpy()
            spread = max(spread, float(np.ptp(theirs)))
            yield float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else float("inf")
    if spread < _SPREAD:
        raise PpedgeError(
            f"{path}: gives much the same for any picture, so that nothing shows whether its weights are in place.",
            "Name the file of a network that has been trained.",
        )


def _pictures(height: int, width: int) -> Iterator[np.ndarray]:
    """Yield pictures (1, 3, height, width) as networks are given them: dark on bright text, its negative, and noise."""
    page = np.full((height, width, 3), 255, np.uint8)
    scale = height / 48 if height < 64 else 1.5
    cv2.putText(page, _TEXT, (12, height * 2 // 3), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 2, cv2.LINE_AA)
    text = page.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
    yield text
    yield -text
    yield np.random.default_rng(0).uniform(-1, 1, text.shape).astype(np.float32)
