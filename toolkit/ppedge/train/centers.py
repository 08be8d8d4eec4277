"""Where the centres of enhanced CTC start: at the mean features of what the network already reads correctly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
from paddle import Tensor

from ppedge.data.source import spread
from ppedge.errors import PpedgeError
from ppedge.models.network import Network
from ppedge.ocr.charset import Charset
from ppedge.ocr.ctc import decode
from ppedge.recipe.losses import Center
from ppedge.train.loader import load
from ppedge.train.losses.center import CenterLoss, require_columns_of_features
from ppedge.train.recorder import Recorder
from ppedge.train.task import Task
from ppedge.train.trainees.base import Trainee


def start_centers(
    task: Task, trainee: Trainee, samples: Sequence[Any], say: Callable[[str], None], *, resumes: bool
) -> None:
    """Set the centres of all terms ``Center``, each by the network that it reads, as that came.

    After Du et al., "PP-OCRv2", 2021, section 2.2: features of correctly read lines, averaged for each class.

    Args:
        task: Of a recogniser.
        trainee: The networks, and what they learn from.
        samples: The training lines.
        say: Told how many lines a start rests on.
        resumes: A checkpoint will set the centres: only their size counts.

    Raises:
        PpedgeError: The layer gives no features of columns, or no line is read correctly.
    """
    sections = [term for term in task.recipe.train.losses if isinstance(term, Center)]
    terms = [term for term in getattr(trainee.loss, "terms", ()) if isinstance(term.loss, CenterLoss)]
    for number, term in enumerate(terms):
        section = next(one for one in sections if not one.of or term.networks[0] in one.of)
        network = trainee.networks()[term.networks[0]]
        reads = section.start == "read" and not resumes
        sums, counts, lines, right = _read(task, network, section, samples, section.images if reads else 1)
        if not reads:
            noise = np.random.default_rng([task.recipe.seed, number])
            term.loss.start(noise.standard_normal(sums.shape).astype(np.float32), np.ones(len(sums), bool))
            continue
        if not right:
            raise PpedgeError(
                f"train.losses: Center: {term.networks[0]} reads none of {lines} training lines correctly: there is "
                "nothing to start centres from.",
                "Start from trained weights (train.weights), or set start: random.",
            )
        known = counts > 0
        term.loss.start((sums / counts.clip(min=1)[:, None]).astype(np.float32), known)
        say(
            f"Center: {term.networks[0]} reads {right} of {lines} training lines correctly; {int(known.sum())} of "
            f"{len(known)} classes have a centre of them, the others count nothing"
        )


def _read(
    task: Task, network: Network, section: Center, samples: Sequence[Any], images: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], int, int]:
    """Return the sum of features (C, F) and the number of columns (C,) of each class in lines that are read correctly.

    Returns:
        These, how many lines were looked at, and how many were read correctly.
    """
    assert task.charset is not None
    dataset = task.dataset(spread(samples, images), augment=False)
    size = task.recipe.train.batch_size
    keys = [(0, index) for index in range(len(dataset))]
    batches = [keys[start : start + size] for start in range(0, len(keys), size)]
    sums, counts, right = np.zeros((task.charset.size, 0)), np.zeros(task.charset.size, np.int64), 0
    recorder, training = Recorder(network, [section.at]), network.training
    network.eval()
    try:
        with closing(load(dataset, batches, task.collate, task.recipe.train.workers)) as loaded, paddle.no_grad():
            for batch in loaded:
                probabilities = network(batch["image"])
                features = recorder.take()[section.at]
                require_columns_of_features(section.at, features, probabilities)
                sums = sums if sums.size else np.zeros((task.charset.size, features.shape[2]))
                is_right = _right(probabilities, batch, task.charset)
                seen = probabilities.argmax(axis=2).numpy()[is_right].flatten()
                np.add.at(sums, seen, features.astype("float32").numpy()[is_right].reshape(-1, sums.shape[1]))
                counts += np.bincount(seen, minlength=len(counts))
                right += int(is_right.sum())
    finally:
        recorder.remove()
        if training:
            network.train()
    return sums, counts, len(dataset), right


def _right(probabilities: Tensor, batch: dict[str, Tensor], charset: Charset) -> npt.NDArray[np.bool_]:
    """Return which lines of a batch are read as their label says: (N,)."""
    labels = zip(batch["label"].numpy(), batch["length"].numpy(), strict=True)
    texts = [charset.decode(label[:length].tolist()) for label, length in labels]
    read = [decode(one, charset).text for one in probabilities.numpy()]
    return np.array([one == text for one, text in zip(read, texts, strict=True)])
