"""Distillation without labels: the slimmed network learns to give what the original gives, on the user's pictures.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; the maps in between after Romero et al.,
"FitNets: Hints for Thin Deep Nets", ICLR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from ppedge.models.depthwise import accelerate
from ppedge.models.network import Network
from ppedge.recipe.losses import NET
from ppedge.train.losses.base import Given, Loss, Outputs
from ppedge.train.recorder import INPUT, Recorder

LEAST = 1e-6
CALM = 1e-3
"""Entropy of a map, in nats a pixel, that is added to the teacher's: a picture without text has next to none."""


class Distillation:
    """A loss for a `ppedge.train.trainees.base.Trainee`.

    A detector's is ``5 M(p, q) + |x - y|^2 / |y - mean(y)|^2 + B``: p and q are the probability maps of student and
    teacher, M is their cross entropy or `divergence_of_maps`, x and y are what the first BatchNorm of their heads gets
    (the convolution before it may get quantizers); the second term is left out of a network that has none. B is the
    mean of the same relative errors of the backbone's maps, as far as the student has all their channels. A
    recogniser's or classifier's is the Kullback-Leibler divergence of the classes' probabilities, mean over lines and
    columns.

    Args:
        teacher: The original network; put into eval mode.
        task: ``det``, ``rec`` or ``cls``.
        weight: Of M.
        labels: Weight of the task's own loss, which is added; 0: labels are not looked at.
        task_loss: That loss; needed with ``labels``.
        kept: Channels of the teacher's features that the student still has, ascending; None: all.
        robust: Compare maps by `divergence_of_maps`.
        maps: Places of both networks, as `ppedge.train.recorder.Recorder` takes them, where a detector's backbone gives
            a map or a list of them.
    """

    def __init__(
        self,
        teacher: Network,
        task: Literal["det", "rec", "cls"],
        weight: float = 5.0,
        *,
        labels: float = 0.0,
        task_loss: Loss | None = None,
        kept: Sequence[int] | None = None,
        robust: bool = False,
        maps: Sequence[str] = (),
    ) -> None:
        self.teacher, self.task, self.weight = teacher, task, weight
        self._off = divergence_of_maps if robust else F.binary_cross_entropy
        self.labels, self.task_loss = labels, task_loss
        self._kept = None if kept is None else paddle.to_tensor(list(kept), "int64")
        teacher.eval()
        accelerate(teacher)
        at: str | None = teacher.taught_at if task == "det" else None
        self._features = None if at is None else f"{at}{INPUT}"
        self._maps = list(maps) if task == "det" else []
        self._recorder = Recorder(teacher, [*([] if self._features is None else [self._features]), *self._maps])

    @property
    def only_teacher(self) -> Network | None:
        """The teacher, where nothing else is learned from: of students the nearest to it is then the best."""
        return None if self.labels else self.teacher

    def reads(self) -> dict[str, list[str]]:
        """Return which places of the student it reads."""
        labels = self.task_loss.reads().get(NET, ()) if self.labels and self.task_loss is not None else ()
        return {NET: [*([] if self._features is None else [self._features]), *self._maps, *labels]}

    def __call__(self, outputs: Outputs, batch: Given) -> dict[str, Tensor]:
        """Compare the student's output in training mode with the teacher's for the same pictures.

        Args:
            outputs: Of the student: a detector's ``maps`` (N, 1 or 3, H, W) and features; a recogniser's ``logits``
                (N, T, C); a classifier's (N, C).
            batch: ``image`` (N, 3, H, W), and with ``labels`` what the task's loss reads.

        Returns:
            Scalars: ``loss``; of a detector also its parts, ``loss_map``, ``loss_features`` and ``loss_backbone``; with
            labels also ``loss_labels``, the task's, before it is weighed.
        """
        parts = self._of_teacher(outputs[NET], batch)
        if self.labels and self.task_loss is not None:
            parts["loss_labels"] = self.task_loss(outputs, batch)["loss"]
            parts["loss"] = parts["loss"] + self.labels * parts["loss_labels"]
        return parts

    def _of_teacher(self, output: Given, batch: Given) -> dict[str, Tensor]:
        with paddle.no_grad():
            wanted = self.teacher(batch["image"])
        if self.task != "det":
            return {"loss": _divergence(output["logits"].astype("float32"), wanted)}
        loss_map = self.weight * self._off(output["maps"][:, :1].astype("float32"), wanted)
        parts = {"loss_map": loss_map}
        seen = self._recorder.take()
        if self._features is not None:
            features = seen[self._features]
            if self._kept is not None:
                features = paddle.index_select(features, self._kept, axis=1)
            parts["loss_features"] = relative_error(output[self._features], features)
        own = [map_ for place in self._maps for map_ in _listed(output[place])]
        taught = [map_ for place in self._maps for map_ in _listed(seen[place])]
        errors = [relative_error(x, y) for x, y in zip(own, taught, strict=True) if x.shape == y.shape]
        if errors:
            parts["loss_backbone"] = sum(errors) / len(errors)
        return {"loss": sum(parts.values()), **parts}


def divergence_of_maps(p: Tensor, q: Tensor) -> Tensor:
    """Return how far maps of probabilities are from wanted ones, such that no picture outweighs all others.

    Of a picture with the divergence ``K = BCE(p, q) - H``, where H is the entropy of q, ``H log(1 + K / (H + CALM))``:
    in proportion to K as long as that is small, and hardly more for a picture in which the student has lost itself.
    With K alone one such picture among a hundred makes the next steps of Adam many times as large as all others, and
    undoes what a nearly right network was.

    Source: of the logarithm as a robust error, Black and Anandan, "The Robust Estimation of Multiple Motions",
    Computer Vision and Image Understanding 63 (1996), who call it Lorentzian.

    Args:
        p: Of the student, (N, 1, H, W), from 0 to 1.
        q: Of the teacher, likewise.

    Returns:
        A scalar, the mean over pictures.
    """
    entropy = F.binary_cross_entropy(q, q, reduction="none").mean(axis=[1, 2, 3])
    divergence = F.binary_cross_entropy(p, q, reduction="none").mean(axis=[1, 2, 3]) - entropy
    return (entropy * paddle.log1p(divergence / (entropy + CALM))).mean()


def _listed(maps: Any) -> list[Tensor]:
    return list(maps) if isinstance(maps, list | tuple) else [maps]


def relative_error(x: Tensor, y: Tensor) -> Tensor:
    """Squared error of x against y, both (N, C, H, W), relative to y's variance within channels."""
    centred = y - y.mean(axis=[0, 2, 3], keepdim=True)
    return ((x - y) ** 2).mean() / ((centred**2).mean() + LEAST)


def _divergence(logits: Tensor, wanted: Tensor) -> Tensor:
    log_wanted = paddle.log(wanted.clip(min=LEAST))
    return (wanted * (log_wanted - F.log_softmax(logits, axis=-1))).sum(axis=-1).mean()
