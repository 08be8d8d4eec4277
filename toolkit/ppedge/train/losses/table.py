"""From a recipe's ``train.losses`` to a loss: one table from each term's section to its builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paddle import nn

from ppedge.ocr.charset import Charset
from ppedge.recipe import losses
from ppedge.train.losses.base import Term, TotalLoss
from ppedge.train.losses.cross_entropy import ClsLoss
from ppedge.train.losses.ctc import CTCLoss
from ppedge.train.losses.db import DBLoss
from ppedge.train.losses.guides import NRTRLoss, SARLoss
from ppedge.train.losses.mutual import DMLLoss, MSELoss


def _ctc(term: losses.CTC, charset: Charset | None) -> CTCLoss:
    return CTCLoss(charset.canonical(ignore_case=term.ignore_case) if charset else None)


BUILDERS: Mapping[type[losses.LossTerm], Callable[[Any, Charset | None], nn.Layer]] = {
    losses.DB: lambda term, charset: DBLoss(term.main, term.alpha, term.beta, term.ohem_ratio),
    losses.CTC: _ctc,
    losses.SAR: lambda term, charset: SARLoss(),
    losses.NRTR: lambda term, charset: NRTRLoss(term.smoothing, term.padding),
    losses.CrossEntropy: lambda term, charset: ClsLoss(),
    losses.DML: lambda term, charset: DMLLoss(term.at),
    losses.MSE: lambda term, charset: MSELoss(term.at),
}


def build_loss(
    terms: Sequence[losses.LossTerm], task: str, charset: Charset | None, trained: Sequence[str], present: Sequence[str]
) -> TotalLoss:
    """Build a loss.

    Args:
        terms: Of the recipe; what the task has by default where they leave nothing.
        task: ``det``, ``rec`` or ``cls``.
        charset: Of a recogniser.
        trained: Names of the networks that are trained; terms that name no network are there for each of them.
        present: Names of the networks at hand; what terms say of others is left out.
    """
    built = _terms(terms, charset, trained, present)
    return TotalLoss(built or _terms([losses.DEFAULTS[task]], charset, trained, present))


def _terms(
    terms: Sequence[losses.LossTerm], charset: Charset | None, trained: Sequence[str], present: Sequence[str]
) -> list[Term]:
    built = []
    for term in terms:
        loss, names = BUILDERS[type(term)](term, charset), term.networks or trained
        places = [names] if isinstance(term, losses.PairLoss) else [(name,) for name in names]
        built += [Term(term.name, tuple(p), term.at, term.weight, loss) for p in places if set(p) <= set(present)]
    return built
