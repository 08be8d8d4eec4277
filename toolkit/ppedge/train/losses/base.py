"""What losses are given, and how several of them become one.

All are computed in float32, whatever the network ran in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from paddle import Tensor, nn

Given = Mapping[str, Any]
"""What one network gives in training mode, and what was noted of its layers, by name."""
Outputs = dict[str, Given]
"""The same of all networks, by network."""


class Loss(Protocol):
    """What a trainee minimises."""

    def reads(self) -> Mapping[str, Sequence[str]]:
        """Return which places it reads, by network."""

    def __call__(self, outputs: Outputs, batch: Given) -> dict[str, Tensor]:
        """Return ``loss``, a scalar to differentiate, and its parts, for the log."""


@dataclass(frozen=True)
class Term:
    """One loss and where it stands.

    Attributes:
        name: For the log.
        networks: What it compares: one network's name, with the labels, or two.
        at: What it reads of each.
        weight: What it is multiplied by.
        loss: Called with what each network gives, then the batch; returns ``loss`` and parts.
    """

    name: str
    networks: tuple[str, ...]
    at: str
    weight: float
    loss: Callable[..., Mapping[str, Tensor]]


class TotalLoss(nn.Layer):
    """The sum of terms. What terms learn themselves is trained and kept in the checkpoint with the networks.

    Args:
        terms: One or more.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        super().__init__()
        self.terms = list(terms)
        self.names = _names(self.terms)
        self.learners = nn.LayerList([term.loss for term in terms if isinstance(term.loss, nn.Layer)])

    def reads(self) -> dict[str, list[str]]:
        """Return which places the terms read, by network."""
        found: dict[str, list[str]] = {}
        for term in self.terms:
            for network in term.networks:
                found.setdefault(network, []).append(term.at)
        return found

    def forward(self, outputs: Outputs, batch: Given) -> dict[str, Tensor]:
        """Return the sum as ``loss``; of a single term its own parts, of several each term by its name."""
        found = [self._value(term, outputs, batch) for term in self.terms]
        if len(found) == 1:
            return found[0]
        losses = [value["loss"] for value in found]
        return {"loss": sum(losses[1:], losses[0]), **dict(zip(self.names, losses, strict=True))}

    @staticmethod
    def _value(term: Term, outputs: Outputs, batch: Given) -> dict[str, Tensor]:
        parts = dict(term.loss(*(outputs[network] for network in term.networks), batch))
        return parts if term.weight == 1 else {name: term.weight * part for name, part in parts.items()}


def _names(terms: Sequence[Term]) -> list[str]:
    """Return a name for each term in the log; where two would have one, what they read tells them apart."""
    plain = [f"loss_{term.name}_{'_'.join(term.networks)}" for term in terms]
    pairs = zip(plain, terms, strict=True)
    told = [name if plain.count(name) == 1 else f"{name}_{term.at}" for name, term in pairs]
    return [name if told.count(name) == 1 else f"{name}_{number}" for number, name in enumerate(told)]
