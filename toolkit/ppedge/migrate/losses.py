"""``Loss``: what training minimises, a sum of terms."""

from __future__ import annotations

from typing import Any

from ppedge.errors import shown
from ppedge.migrate.architecture import Networks
from ppedge.migrate.source import Source, written
from ppedge.migrate.terms import TERMS, Terms
from ppedge.recipe.losses import RESULTS

_WITHOUT_EFFECT = {
    "name": "a term has no name beside its kind",
    "key": "the term's `at` says what it reads",
    "maps_name": "the term compares the probability maps",
    "multi_head": "guides are named by themselves",
}


def losses_of(source: Source, networks: Networks) -> Terms:
    """Return ``train.losses``.

    Raises:
        PpedgeError: The loss as a whole is none that ppedge has.
    """
    name = source.text("name")
    if name in ("CombinedLoss", "MultiLoss"):
        source.taken("name", "train.losses: the sum of its terms")
        terms: Terms = []
        for kind, inner in source.named("loss_config_list"):
            terms += _term(kind, inner, networks)
        if name == "MultiLoss":
            _weights_of_multi_loss(source, terms)
        source.close()
    elif name in TERMS:
        source.not_needed("name", "train.losses has it")
        terms = _term(name, source, networks)
    else:
        raise source.error("name", f"{shown(name)} is no loss that ppedge has", f"It has {', '.join(TERMS)}.")
    if not terms:
        raise source.error("", "no term of it is left", "Without a loss nothing is learned.")
    return terms


def sums_over_batch(terms: Terms) -> bool:
    """Whether PaddleOCR adds a loss up over the pictures of a batch: its DML of maps is a vector, and so is the sum."""
    return any(term["name"] == "DML" and term["at"] == RESULTS["det"] for term in terms)


def _term(kind: str, source: Source, networks: Networks) -> Terms:
    """Return the terms that one entry stands for, and answer it."""
    if kind not in TERMS:
        source.left_out("", f"{kind} is no loss that ppedge has: training goes on without it")
        return []
    terms = [_weighed(source, term) for term in TERMS[kind](source, networks)]
    if terms:
        source.taken("", f"train.losses: {', '.join(map(written, terms))}")
    source.close(_WITHOUT_EFFECT)
    return terms


def _weighed(source: Source, term: dict[str, Any]) -> dict[str, Any]:
    """Return a term with the weight that its entry names."""
    weight = source.number("weight", 1.0)
    if "weight" in source:
        source.taken("weight", f"weight: {weight:g}")
    return term if weight == 1 else {**term, "weight": weight}


def _weights_of_multi_loss(source: Source, terms: Terms) -> None:
    """Put MultiLoss' own weights, of its first and second term, into the terms."""
    for number, key in enumerate(("weight_1", "weight_2")):
        if key in source and number < len(terms):
            weight = source.number(key, 1.0)
            source.taken(key, f"weight of {terms[number]['name']}: {weight:g}")
            if weight != 1:
                terms[number]["weight"] = weight
