"""From a loss to the optimizer's step, in mixed precision through a scaled loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import paddle
from pydantic import Field
from typing_extensions import TypedDict

from ppedge.state import checked
from ppedge.train.checkpoint import WHAT
from ppedge.train.log import ANEW

_INITIAL, _DOUBLES_AFTER = 1024.0, 1000  # steps without an overflow


class _State(TypedDict):
    """What changes of a scaler while it works."""

    scale: Annotated[list[Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=1, max_length=1)]
    incr_count: Annotated[int, Field(ge=0)]
    decr_count: Annotated[int, Field(ge=0)]


class LossScaling:
    """The backward pass and the optimizer's step.

    In mixed precision the loss is multiplied first, so that small gradients do not vanish in float16. The factor halves
    where gradients overflow, and that step is left out; it doubles after 1000 steps without an overflow.

    Source: Micikevicius et al., "Mixed Precision Training", ICLR 2018.

    Args:
        enabled: Whether the course trains in mixed precision.
    """

    def __init__(self, enabled: bool) -> None:
        self.scaler = None
        if enabled:
            self.scaler = paddle.amp.GradScaler(init_loss_scaling=_INITIAL, incr_every_n_steps=_DOUBLES_AFTER)

    def step(self, loss: paddle.Tensor, optimizer: paddle.optimizer.Optimizer) -> None:
        """Differentiate a loss and let the optimizer take its step."""
        if self.scaler is None:
            loss.backward()
            optimizer.step()
            return
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()

    def state(self) -> dict[str, np.ndarray]:
        """Return the factor and what decides when it changes, for the checkpoint; nothing without mixed precision."""
        kept = self.scaler.state_dict() if self.scaler else {}
        return {name: np.array(kept[name]) for name in _State.__annotations__ if name in kept}

    def restore(self, state: Mapping[str, np.ndarray], path: Path) -> None:
        """Undo `state`; the factor starts anew where the checkpoint was written without mixed precision.

        Args:
            state: What it gave.
            path: The checkpoint, for the error.

        Raises:
            PpedgeError: It is something else.
        """
        if self.scaler is None or not state:
            return
        found = checked(_State, {name: value.tolist() for name, value in state.items()}, path, WHAT, ANEW)
        self.scaler.load_state_dict({**self.scaler.state_dict(), **found})
