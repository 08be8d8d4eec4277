"""The loss of enhanced CTC: features of one class lie together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import paddle
from paddle import Tensor, nn

from ppedge.errors import PpedgeError
from ppedge.train.losses.base import Given


class CenterLoss(nn.Layer):
    """Squared distance of each column's features from the centre of the class that the network sees there.

    ``sum |f - c_k|^2 / (N T)``, with k the likeliest class of the column, blank included. Characters that look alike
    have features that lie close together; this keeps each class's own together.

    Centres are set by `start`, before the first step. They stay as they are, as in PaddleOCR, whose centres are no
    parameters, unless ``trained``; in the paper they follow the features.

    Source: Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition", ECCV 2016; Du et al.,
    "PP-OCRv2", 2021, section 2.2, "Enhanced CTC loss", for its use.

    Args:
        at: Structured name of the layer that gives the features.
        trained: Centres are trained with the network.
    """

    def __init__(self, at: str, *, trained: bool = False) -> None:
        super().__init__()
        self.at = at
        self.trained = trained

    def start(self, centers: npt.NDArray[np.float32], known: npt.NDArray[np.bool_]) -> None:
        """Set where the centres are.

        Args:
            centers: (C, F), one a class.
            known: (C,): columns of other classes count nothing.
        """
        tensor = paddle.to_tensor(centers.astype(np.float32))
        if self.trained:
            assign = nn.initializer.Assign(tensor)
            self.centers = self.create_parameter(list(tensor.shape), default_initializer=assign)
        else:
            self.register_buffer("centers", tensor)
        self.register_buffer("known", paddle.to_tensor(known.astype(np.float32)))

    def forward(self, output: Given, batch: Given) -> dict[str, Tensor]:
        """Hold features against centres.

        Args:
            output: Features (N, T, F) at the layer, and ``logits`` (N, T, C).
            batch: Not looked at: the classes are those that the network sees.

        Returns:
            The scalar ``loss``.

        Raises:
            PpedgeError: The layer does not give as many features for each column of the logits as a centre has.
        """
        features, logits = output[self.at], output["logits"]
        require_columns_of_features(self.at, features, logits)
        features = features.astype("float32").flatten(0, 1)
        seen = logits.argmax(axis=2).flatten()
        squares = (features - paddle.gather(self.centers, seen)).square().sum(axis=1)
        return {"loss": (squares * paddle.gather(self.known, seen)).mean()}


def require_columns_of_features(at: str, features: Tensor, logits: Tensor) -> None:
    """Require that a layer gives features (N, T, F) for logits (N, T, C).

    Raises:
        PpedgeError: It gives something else.
    """
    if isinstance(features, list) or len(features.shape) != 3 or features.shape[:2] != logits.shape[:2]:
        told = f"{len(features)} maps" if isinstance(features, list) else str(list(features.shape))
        raise PpedgeError(
            f"train.losses: Center at {at} reads {told} beside logits of {list(logits.shape)}.",
            "Name a layer that gives features for each column, (N, T, F), such as head.fc1.",
        )
