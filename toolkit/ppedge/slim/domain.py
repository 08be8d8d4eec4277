"""Whether calibration and evaluation pictures come from one distribution, as the network itself sees them.

A picture is told by the mean and the standard deviation of each channel of the backbone's outputs. Two sets of pictures
are compared as two diagonal Gaussians over these figures. How far they may lie apart by chance needs no threshold of
ours: the same pictures are divided anew, at random, into two sets of the same sizes.

Sources: the distance of Gaussians over a network's features, Heusel et al., "GANs Trained by a Two Time-Scale Update
Rule Converge to a Local Nash Equilibrium", NeurIPS 2017; the permutation test, Phipson and Smyth, "Permutation P-values
Should Never Be Zero", 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle

from ppedge.models.depthwise import accelerate
from ppedge.models.network import Network
from ppedge.train.task import Task

PICTURES = 32
"""Of each set, at most."""
LEAST_PICTURES = 6
"""Of each set: fewer cannot be divided in enough ways to tell."""
LEVEL = 0.01
"""Of the test: one warning in a hundred is wrong."""
DIVISIONS = 999
Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """How two sets of pictures differ.

    Attributes:
        distance: Between the sets, in standard deviations within a set.
        chance: What 99 of 100 random divisions of the same pictures stay below.
        p: Share of the divisions, the real one among them, that are at least as far apart.
        calibration: Pictures of the one set.
        evaluation: Pictures of the other.
    """

    distance: float
    chance: float
    p: float
    calibration: int
    evaluation: int

    @property
    def different(self) -> bool:
        """Whether the sets come from different distributions, at `LEVEL`."""
        return self.p <= LEVEL

    def warning(self) -> str:
        """Return what to tell the user if the sets differ, as one sentence."""
        return (
            "warning: training and evaluation pictures come from different distributions: the network's features lie "
            f"{self.distance:.2f} standard deviations apart, where chance gives up to {self.chance:.2f} "
            f"({self.calibration} and {self.evaluation} pictures); what is fitted to the first may not hold for the "
            "second"
        )

    def entry(self) -> dict[str, Any]:
        """Return all of it as plain JSON values."""
        return {**asdict(self), "different": self.different}


def compare(calibration: Rows, evaluation: Rows, seed: int = 0) -> Shift | None:
    """Compare two sets of pictures by their features.

    The distance is ``sqrt(sum((m - n)^2 + (s - t)^2) / sum((s^2 + t^2) / 2))`` over all features, scaled to variance 1
    over both sets: m and s, n and t are mean and standard deviation within either set.

    Args:
        calibration: (N, F).
        evaluation: (M, F).
        seed: Of the random divisions.

    Returns:
        None if there are fewer than `LEAST_PICTURES` of either.
    """
    if min(len(calibration), len(evaluation)) < LEAST_PICTURES:
        return None
    rows = np.concatenate([calibration, evaluation])
    spread = rows.std(axis=0)
    varying = spread > 1e-6 * np.abs(rows).max(axis=0)  # a channel that is the same for all has a spread of roundings
    rows = (rows - rows.mean(axis=0))[:, varying] / spread[varying]
    first = np.zeros((DIVISIONS + 1, len(rows)))
    first[:, : len(calibration)] = 1
    first[1:] = np.random.default_rng(seed).permuted(first[1:], axis=1)
    distances = _distances(first, rows)
    real, others = float(distances[0]), distances[1:]
    p = (1 + int((others >= real - 1e-9).sum())) / (DIVISIONS + 1)
    return Shift(real, float(np.quantile(others, 1 - LEVEL)), p, len(calibration), len(evaluation))


def _distances(first: Rows, rows: Rows) -> Rows:
    """Return the distance for each division (D, N + M), which is 1 for pictures of the first set: (D,)."""
    means, variances = [], []
    for side in (first, 1 - first):
        weights = side / side.sum(axis=1, keepdims=True)
        mean = weights @ rows
        means.append(mean)
        variances.append(np.maximum(weights @ rows**2 - mean**2, 0))
    apart = (means[0] - means[1]) ** 2 + (np.sqrt(variances[0]) - np.sqrt(variances[1])) ** 2
    within = (variances[0] + variances[1]) / 2
    found: Rows = np.sqrt(apart.sum(axis=1) / np.maximum(within.sum(axis=1), 1e-12))
    return found


def measure(net: Network, task: Task, train: Sequence[Any], evaluation: Sequence[Any]) -> Shift | None:
    """Compare training and evaluation pictures, both as they are evaluated, as a network sees them.

    Args:
        net: The network as trained, in eval mode.
        task: Of its recipe.
        train: Samples that slimming is fitted to.
        evaluation: Samples that it is measured on.

    Returns:
        None if there are fewer than `LEAST_PICTURES` of either.
    """
    seed = task.recipe.seed
    first, second = pick(train, seed), pick(evaluation, seed)
    if min(len(first), len(second)) < LEAST_PICTURES:
        return None
    return compare(features(net, task, first), features(net, task, second), seed)


def pick(samples: Sequence[Any], seed: int) -> list[Any]:
    """Return up to `PICTURES` samples at random, one of each picture: lines of one picture do not differ by chance."""
    picked: dict[Any, Any] = {}
    for index in np.random.default_rng(seed).permutation(len(samples)):
        sample = samples[int(index)]
        picked.setdefault(sample.image, sample)
        if len(picked) == PICTURES:
            break
    return list(picked.values())


def features(net: Network, task: Task, samples: Sequence[Any]) -> Rows:
    """Return each picture's features (N, F): mean and standard deviation by channel of the backbone's outputs."""
    if task.recipe.task == "rec":  # what a line says does not matter, nor whether the network knows its characters
        samples = [replace(sample, text="") for sample in samples]
    dataset = task.dataset(samples, augment=False, seed=task.recipe.seed)
    accelerate(net)
    rows = []
    with paddle.no_grad():
        for index in range(len(dataset)):
            image = paddle.to_tensor(task.collate([dataset[0, index]])["image"])
            maps = [x.numpy()[0].astype(np.float64) for x in net.features(image)]
            rows.append(np.concatenate([part for x in maps for part in (x.mean(axis=(1, 2)), x.std(axis=(1, 2)))]))
    return np.array(rows).reshape(len(rows), -1)
