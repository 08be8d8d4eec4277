"""Distillation without labels: the slimmed network learns to give what the original gives, on the user's pictures.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; the maps in between after Romero et al.,
"FitNets: Hints for Thin Deep Nets", ICLR 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from ppedge.models.depthwise import accelerate
from ppedge.models.zoo import Network
from ppedge.train.flat_start import Loss

LEAST = 1e-6


class Distillation:
    """A loss for `ppedge.train.loop.Course`.

    A detector's is ``5 BCE(p, q) + |x - y|^2 / |y - mean(y)|^2``: p and q are the probability maps of student and
    teacher, x and y what the first BatchNorm of their heads gets. A recogniser's or classifier's is the
    Kullback-Leibler divergence of the classes' probabilities, mean over lines and columns.

    Args:
        teacher: The original network; put into eval mode.
        student: The network that is trained. Quantizers may be put around its layers afterwards.
        task: ``det``, ``rec`` or ``cls``.
        weight: Of the map's cross entropy.
        labels: Weight of the task's own loss, which is added; 0: labels are not looked at.
        task_loss: That loss; needed with ``labels``.
    """

    def __init__(
        self,
        teacher: Network,
        student: Network,
        task: Literal["det", "rec", "cls"],
        weight: float = 5.0,
        *,
        labels: float = 0.0,
        task_loss: Loss | None = None,
    ) -> None:
        self.teacher, self.task, self.weight = teacher, task, weight
        self.labels, self.task_loss = labels, task_loss
        self._seen: dict[str, Tensor] = {}
        teacher.eval()
        accelerate(teacher)
        if task == "det":
            self._watch("teacher", teacher.head.binarize.conv_bn1)
            self._watch("student", student.head.binarize.conv_bn1)

    def __call__(self, output: Mapping[str, Tensor], batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Compare the student's output in training mode with the teacher's for the same pictures.

        Args:
            output: A detector's ``maps`` (N, 1 or 3, H, W); a recogniser's ``logits`` (N, T, C); a
                classifier's (N, C).
            batch: ``image`` (N, 3, H, W), and with ``labels`` what the task's loss reads.

        Returns:
            Scalars: ``loss``; of a detector also its parts, ``loss_map`` and ``loss_features``; with labels also
            ``loss_labels``, the task's, before it is weighed.
        """
        parts = self._of_teacher(output, batch)
        if self.labels and self.task_loss is not None:
            parts["loss_labels"] = self.task_loss(output, batch)["loss"]
            parts["loss"] = parts["loss"] + self.labels * parts["loss_labels"]
        return parts

    def _of_teacher(self, output: Mapping[str, Tensor], batch: Mapping[str, Any]) -> dict[str, Tensor]:
        with paddle.no_grad():
            wanted = self.teacher(batch["image"])
        if self.task != "det":
            return {"loss": _divergence(output["logits"].astype("float32"), wanted)}
        loss_map = self.weight * F.binary_cross_entropy(output["maps"][:, :1].astype("float32"), wanted)
        loss_features = relative_error(self._seen.pop("student"), self._seen.pop("teacher"))
        return {"loss": loss_map + loss_features, "loss_map": loss_map, "loss_features": loss_features}

    def _watch(self, name: str, norm: nn.Layer) -> None:
        def hook(layer: nn.Layer, inputs: tuple[Tensor, ...]) -> None:
            self._seen[name] = inputs[0]

        norm.register_forward_pre_hook(hook)


def relative_error(x: Tensor, y: Tensor) -> Tensor:
    """Squared error of x against y, both (N, C, H, W), relative to y's variance within channels."""
    centred = y - y.mean(axis=[0, 2, 3], keepdim=True)
    return ((x - y) ** 2).mean() / ((centred**2).mean() + LEAST)


def _divergence(logits: Tensor, wanted: Tensor) -> Tensor:
    log_wanted = paddle.log(wanted.clip(min=LEAST))
    return (wanted * (log_wanted - F.log_softmax(logits, axis=-1))).sum(axis=-1).mean()
