"""The terms of losses, by PaddleOCR's names: a new one is a function here, and a line of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ppedge.errors import shown
from ppedge.migrate.architecture import Networks
from ppedge.migrate.source import Source, written
from ppedge.recipe.losses import NET, RESULTS

Terms = list[dict[str, Any]]

_PAIR = 2
_MAIN = {"DiceLoss": "dice", "BCELoss": "bce", "DiceFocalLoss": "dice_focal"}
_AUX = {"aux_weight_p4": "maps_p4", "aux_weight_p3": "maps_p3", "aux_weight_p2": "maps_p2"}
_DB_DEFAULTS = {"balance_loss": True, "main_loss_type": "DiceLoss", "alpha": 5, "beta": 10, "ohem_ratio": 3}


def _db(source: Source, networks: Networks) -> Terms:
    term: dict[str, Any] = {"name": "DB"}
    main = source.value("main_loss_type", "DiceLoss")
    if main in _MAIN:
        source.taken("main_loss_type", f"main: {_MAIN[main]}")
        term["main"] = _MAIN[main]
    else:
        source.left_out("main_loss_type", f"the probability map is held against labels by dice, not by {shown(main)}")
    if not source.value("balance_loss", True):
        source.left_out("balance_loss", "background pixels are always balanced against those of text")
    for key in ("alpha", "beta", "ohem_ratio", "focal_alpha", "focal_gamma"):
        if key in source:
            term[key] = source.value(key)
            source.taken(key, f"{key}: {written(term[key])}")
    for key in ("dice_weight", "focal_weight"):
        if source.number(key, 1.0) != 1:
            source.left_out(key, "dice and focal loss count alike")
        source.taken(key, "both count alike")
    terms = [term, *_auxiliary(source, networks, term)]
    source.close({"balance_loss": "it is what ppedge does"})
    return terms


def _auxiliary(source: Source, networks: Networks, term: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the terms of the heads on a neck's levels: each as that of the network, with a weight of its own."""
    guide = networks.guide("aux")
    for key, at in _AUX.items():
        weight = source.number(key, 0.0)
        if not weight:
            source.not_needed(key, "it is 0: this level has no term")
        elif guide is None:
            source.left_out(key, "no network has the heads that it is of")
        else:
            source.taken(key, f"of: [{NET}.{guide}], at: {at}, weight: {weight:g}")
            yield {**term, "of": [_at(NET, guide)], "at": at, "weight": weight}


def _distillation_db(source: Source, networks: Networks) -> Terms:
    _ignored(source, _DB_DEFAULTS)
    return [_of({"name": "DB"}, source, networks)]


def _ignored(source: Source, defaults: Mapping[str, Any]) -> None:
    """Answer the keys that PaddleOCR reads nowhere: its distillation losses keep their defaults whatever is written."""
    for key, default in defaults.items():
        if key not in source:
            continue
        if source.value(key) == default:
            source.taken(key, f"it is the default, {written(default)}")
        else:
            source.changed(
                key, f"PaddleOCR ignores it in a distillation and takes {written(default)}, as the recipe does"
            )


def _dilated(source: Source, networks: Networks) -> Terms:
    _ignored(source, _DB_DEFAULTS)
    return [
        {"name": "Dilated", "from": teacher, "to": students} for teacher, students in _taught(source, networks).items()
    ]


def _dml(source: Source, networks: Networks) -> Terms:
    guide = None
    if source.text("dis_head") not in ("", "ctc"):
        guide = networks.guide(source.text("dis_head"))
        if guide is None:
            source.left_out("dis_head", "no network has this head, and the term reads nothing else")
            return []
    source.not_needed("dis_head", f"`between` names {guide or 'the heads that ship'}")
    if networks.task == "det":
        if "act" in source:
            source.left_out("act", "the maps are probabilities, and are compared as they are")
    else:
        source.not_needed("act", "logits are compared after softmax")
    source.not_needed("use_log", "the term is the divergence of both from each other")
    at = RESULTS[networks.task]
    return [
        {"name": "DML", "between": [_at(name, guide) for name in pair], "at": at} for pair in _pairs(source, networks)
    ]


def _distance(source: Source, networks: Networks) -> Terms:
    mode, key = source.text("mode", "l2"), source.text("key", "backbone_out")
    if mode != "l2" or not key.endswith("_out") or key == "head_out":
        source.left_out("mode", f"ppedge has no distance {mode} at {key}: training goes on without the term")
        return []
    source.taken("mode", "MSE, the mean of squared differences")
    source.taken("key", f"at: {key.removesuffix('_out')}")
    return [{"name": "MSE", "between": list(pair), "at": key.removesuffix("_out")} for pair in _pairs(source, networks)]


def _ctc(source: Source, networks: Networks) -> Terms:
    if source.value("use_focal_loss", False):
        source.left_out("use_focal_loss", "CTC counts each line alike, whether it is read well or not")
    source.not_needed("use_focal_loss", "it is off")
    return [_of({"name": "CTC"}, source, networks)]


def _guided(name: str, kind: str) -> Callable[[Source, Networks], Terms]:
    """Return what makes a term of a guide's."""

    def make(source: Source, networks: Networks) -> Terms:
        guide = networks.guide(kind)
        if guide is None:
            source.left_out("", f"no network has the head that {name} is of: training goes on without it")
            return []
        if "model_name_list" in source:
            of = [_at(name, guide) for name in _names(source, networks)]
        else:
            of = [_at(name, guide) for name in networks.trained]
        term: dict[str, Any] = {"name": name, "of": of}
        if name == "NRTR" and "smoothing" in source:
            _smoothing(source, term)
        return [term]

    return make


def _smoothing(source: Source, term: dict[str, Any]) -> None:
    if source.value("smoothing"):
        source.taken("smoothing", "it is what the term does")
    else:
        term |= {"smoothing": 0.0, "padding": True}
        source.taken("smoothing", "smoothing: 0.0, padding: true: PaddleOCR counts what follows a text's end then")


def _dkd(source: Source, networks: Networks) -> Terms:
    keys = {key: source.value(key, 1.0) for key in ("temperature", "alpha", "beta")}
    for key, value in keys.items():
        source.taken(key, f"{key}: {written(value)}")
    source.changed("", "padding: true: PaddleOCR makes a mask of what follows a text's end and does not use it")
    return [{**term, **keys, "padding": True} for term in _taught_by("DKD", source, networks)]


def _kl(source: Source, networks: Networks) -> Terms:
    return _taught_by("KL", source, networks)


def _ctc_logits(source: Source, networks: Networks) -> Terms:
    source.not_needed("reduction", "the term is the mean over the batch")
    return _taught_by("CTCLogits", source, networks)


def _taught_by(name: str, source: Source, networks: Networks) -> Terms:
    """Return the terms by which students learn what each teacher, or its guide, gives."""
    guide = networks.guide(source.text("dis_head"))
    source.not_needed("dis_head", f"`from` and `to` name {guide or 'the heads that ship'}")
    return [
        {"name": name, "from": _at(teacher, guide), "to": [_at(student, guide) for student in students]}
        for teacher, students in _taught(source, networks).items()
    ]


def _center(source: Source, networks: Networks) -> Terms:
    source.not_needed("num_classes", "the character set implies it")
    source.not_needed("feat_dim", "the layer that it reads implies it")
    if "center_file_path" in source and source.value("init_center", True):
        source.changed(
            "center_file_path", "start: read: the centres are found when training starts, no file of them is read"
        )
        start = "read"
    else:
        source.not_needed("center_file_path", "init_center is off")
        start = "random"
    source.taken("init_center", f"start: {start}")
    return [{"name": "Center", "start": start}]


def _cross_entropy(source: Source, networks: Networks) -> Terms:
    source.close({"main_indicator": "Metric says it"})
    return [{"name": "CrossEntropy"}]


TERMS: Mapping[str, Callable[[Source, Networks], Terms]] = {
    "DBLoss": _db,
    "CTCLoss": _ctc,
    "ClsLoss": _cross_entropy,
    "SARLoss": _guided("SAR", "sar"),
    "NRTRLoss": _guided("NRTR", "gtc"),
    "CenterLoss": _center,
    "DistillationDBLoss": _distillation_db,
    "DistillationDilaDBLoss": _dilated,
    "DistillationDMLLoss": _dml,
    "DistillationDistanceLoss": _distance,
    "DistillationCTCLoss": _ctc,
    "DistillationSARLoss": _guided("SAR", "sar"),
    "DistillationNRTRLoss": _guided("NRTR", "gtc"),
    "DistillationDKDLoss": _dkd,
    "DistillationKLDivLoss": _kl,
    "DistillCTCLogits": _ctc_logits,
    "DistillationCTCLogits": _ctc_logits,
}
"""By PaddleOCR's name."""


def _at(network: str, guide: str | None) -> str:
    """Return what a term calls a network, or a guide of its."""
    return f"{network}.{guide}" if guide else network


def _name(source: Source, key: str, named: Any, networks: Networks) -> str:
    name = networks.names.get(named) if isinstance(named, str) else None
    if name is None:
        raise source.error(
            key, f"{shown(named)} is none of the networks", f"They are {', '.join(networks.names) or NET}."
        )
    return name


def _names(source: Source, networks: Networks) -> list[str]:
    key = "model_name_list"
    names = [_name(source, key, named, networks) for named in source.values(key)]
    source.taken(key, f"of: {written(names)}")
    return names


def _of(term: dict[str, Any], source: Source, networks: Networks) -> dict[str, Any]:
    """Return a term with the networks that it is of, where that is not all that are trained."""
    if "model_name_list" not in source:
        return term
    names = _names(source, networks)
    return term if sorted(names) == sorted(networks.trained) else {**term, "of": names}


def _pairs(source: Source, networks: Networks) -> Iterator[tuple[str, str]]:
    """Yield the pairs of networks that a term names: one, or a list of them."""
    key = "model_name_pairs"
    named = source.values(key)
    source.not_needed(key, "the terms name the networks")
    for pair in [named] if all(isinstance(one, str) for one in named) else named:
        if not isinstance(pair, list) or len(pair) != _PAIR:
            raise source.error(key, f"must list pairs of networks, not {shown(pair)}")
        first, second = (_name(source, key, one, networks) for one in pair)
        yield first, second


def _taught(source: Source, networks: Networks) -> dict[str, list[str]]:
    """Return the students of each teacher that a term names; a pair names the student first."""
    found: dict[str, list[str]] = {}
    for student, teacher in _pairs(source, networks):
        found.setdefault(teacher, []).append(student)
    return found
