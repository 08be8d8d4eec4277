"""From a recipe's ``train.losses`` to a loss: one table from each term's section to its builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paddle import nn

from ppedge.ocr.charset import Charset
from ppedge.recipe import losses
from ppedge.train.losses.base import Term, TotalLoss
from ppedge.train.losses.center import CenterLoss
from ppedge.train.losses.cross_entropy import ClsLoss
from ppedge.train.losses.ctc import CTCLoss
from ppedge.train.losses.db import DBLoss
from ppedge.train.losses.dilated import DilatedLoss
from ppedge.train.losses.guides import NRTRLoss, SARLoss
from ppedge.train.losses.mutual import DMLLoss, MSELoss
from ppedge.train.losses.teacher import CTCLogitsLoss, DKDLoss, KLLoss


def _ctc(term: losses.CTC, charset: Charset | None) -> CTCLoss:
    return CTCLoss(charset.canonical(ignore_case=term.ignore_case) if charset else None)


def _db(term: losses.DB, charset: Charset | None) -> DBLoss:
    return DBLoss(
        term.main, term.alpha, term.beta, term.ohem_ratio,
        focal_alpha=term.focal_alpha, focal_gamma=term.focal_gamma, at=term.at,
    )  # fmt: skip


BUILDERS: Mapping[type[losses.LossTerm], Callable[[Any, Charset | None], nn.Layer]] = {
    losses.DB: _db,
    losses.CTC: _ctc,
    losses.SAR: lambda term, charset: SARLoss(),
    losses.NRTR: lambda term, charset: NRTRLoss(term.smoothing, term.padding),
    losses.CrossEntropy: lambda term, charset: ClsLoss(),
    losses.DML: lambda term, charset: DMLLoss(term.at),
    losses.MSE: lambda term, charset: MSELoss(term.at),
    losses.Dilated: lambda term, charset: DilatedLoss(term.main, term.alpha, term.ohem_ratio, term.thresh),
    losses.KL: lambda term, charset: KLLoss(),
    losses.CTCLogits: lambda term, charset: CTCLogitsLoss(term.temperature),
    losses.DKD: lambda term, charset: DKDLoss(term.alpha, term.beta, term.temperature, padding=term.padding),
    losses.Center: lambda term, charset: CenterLoss(term.at, trained=term.trained),
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
        # A loss each: what one learns itself is of the network that it reads.
        places = [place for place in term.places(trained) if set(place) <= set(present)]
        built += [Term(term.name, p, term.at, term.weight, BUILDERS[type(term)](term, charset)) for p in places]
    return built
