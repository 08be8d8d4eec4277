"""One network of a configuration: backbone, neck and head, and what stands beside the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ppedge.errors import shown
from ppedge.migrate.parts import BACKBONES, GUIDES, HEADS, NECKS, SEQUENCE_MODELS, SVTR, known_part, section_of
from ppedge.migrate.source import Source, written

ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "det": ("DB",),
    "rec": ("CRNN", "SVTR", "SVTR_LCNet", "SVTR_HGNet", "SAR", "CRNN_LCNet", "Rosetta"),
    "cls": ("CLS",),
}
"""What a configuration calls a network that ppedge has; the parts decide whether it has it."""
_CLASSES = 2
_CTC_HEAD_KEYS = {"in_channels": "the part before implies it", "out_channels": "the character set implies it"}


@dataclass
class Network:
    """One network of a configuration.

    Attributes:
        model: Its parts, as the recipe has them.
        guides: What it has beside the head that ships, as ``train.guides`` has them.
        head_l2: The L2 decay that its head names for itself.
        source: Its section of the configuration.
    """

    model: dict[str, Any]
    source: Source
    guides: list[dict[str, Any]] = field(default_factory=list)
    head_l2: float | None = None


def network_of(source: Source, task: str, place: str, *, shared: bool = False) -> Network:
    """Return one network; the keys of ``shared`` ones that the distillation reads are left to it."""
    algorithm = source.text("algorithm")
    if algorithm and algorithm not in ALGORITHMS[task]:
        raise source.error(
            "algorithm",
            f"{shown(algorithm)} is no algorithm that ppedge has for the task {task}",
            f"It has {', '.join(ALGORITHMS[task])}.",
        )
    if algorithm:
        source.not_needed("algorithm", "the parts say it")
    transform = source.section("Transform")
    if "name" in transform:
        raise transform.error("name", "ppedge has no network with a transform before its backbone", "Leave it out.")
    transform.close()
    backbone = source.section("Backbone")
    model = {"backbone": _backbone(backbone, task, f"{place}.backbone")}
    network = Network(model, source)
    head = source.section("Head")
    neck = _neck(source.section("Neck"), task, f"{place}.neck")
    if neck is not None and neck["name"] == SVTR.name:
        known_part(head, HEADS[task], "head of a recogniser")
        head.taken("name", "model.head: MultiHead, whose last layer is CTC's")
        model["head"] = {"name": "MultiHead", "neck": neck}
        network.head_l2 = _ctc(head)
    else:
        if neck is not None:
            model["neck"] = neck
        model["head"] = _head(head, network, task, f"{place}.head")
    if not shared:
        source.close()
    return network


def _backbone(source: Source, task: str, place: str) -> dict[str, Any]:
    part = known_part(source, BACKBONES[task], f"backbone of the task {task}")
    section = section_of(source, part, place)
    if section.get("last_pool_type") == "avg" and "last_pool_kernel_size" not in section:
        section["last_pool_kernel_size"] = [2, 2]
        source.changed(
            "last_pool_type",
            f"{place}.last_pool_kernel_size: [2, 2], as PP-OCRv3's published weights were trained; PaddleOCR since "
            "2023-04 takes [3, 2] where a configuration says nothing",
        )
    source.close(part.without_effect)
    return section


def _neck(source: Source, task: str, place: str) -> dict[str, Any] | None:
    if "name" not in source:
        source.close()
        return None
    if task == "det":
        part = known_part(source, NECKS, "neck of a detector")
        section = section_of(source, part, place)
    else:
        section = _sequence_encoder(source, place)
    source.close({"in_channels": "the part before implies it"})
    return section


def _sequence_encoder(source: Source, place: str) -> dict[str, Any]:
    """Return a recogniser's neck, or the SVTR that stands in the head here."""
    if source.text("name") != "SequenceEncoder":
        raise source.error(
            "name", f"{shown(source.text('name'))} is no neck of a recogniser here", "ppedge has SequenceEncoder."
        )
    kind = source.text("encoder_type")
    if kind == "rnn":
        source.taken("name", f"{place}: SequenceEncoder")
        source.taken("encoder_type", "it is the only one of a SequenceEncoder here")
        size = source.value("hidden_size", 48)
        if "hidden_size" in source:
            source.taken("hidden_size", f"{place}.hidden_size: {written(size)}")
        return {"name": "SequenceEncoder", "hidden_size": size}
    if kind == "svtr":
        source.changed(
            "name",
            "model.head: MultiHead, which holds this sequence model: names of its weights start with "
            "head.ctc_encoder.encoder instead of neck.encoder, so that trained ones do not fit by name",
        )
        source.taken("encoder_type", "model.head.neck.name: SVTR")
        return section_of(source, SVTR, "model.head.neck", named=False)
    raise source.error("encoder_type", f"{shown(kind)} is no sequence model that ppedge has", "It has rnn and svtr.")


def _head(source: Source, network: Network, task: str, place: str) -> dict[str, Any]:
    if task == "rec" and source.text("name") == "MultiHead":
        return _multi_head(source, network, place)
    part = known_part(source, HEADS[task], f"head of the task {task}")
    section = section_of(source, part, place)
    if task == "det":
        _auxiliary(source, section, network)
    elif task == "rec":
        network.head_l2 = _ctc(source)
    elif task == "cls":
        _classes(source)
    source.close({"in_channels": "the part before implies it"})
    return section


def _auxiliary(source: Source, head: dict[str, Any], network: Network) -> None:
    """Put the heads that a DBHead has on the neck's levels among the network's guides."""
    if not source.value("aux_in_channels", 0):
        source.not_needed("aux_in_channels", "it has no auxiliary heads")
    elif network.model.get("neck", {}).get("name") == "RepLKFPN":
        own = {key: head[key] for key in ("k", "fix_nan") if key in head}
        network.guides.append({"name": "AuxDBHead", **own})
        source.taken("aux_in_channels", "train.guides: AuxDBHead, on the levels of the neck, which imply the channels")
    else:
        source.left_out(
            "aux_in_channels", "this neck has no levels that auxiliary heads could read: they are not trained"
        )


def _classes(source: Source) -> None:
    """Answer the number of a classifier's classes."""
    classes = source.value("class_dim", _CLASSES)
    if classes == _CLASSES:
        source.taken("class_dim", "model.head: ClsHead tells two directions apart")
    else:
        source.changed("class_dim", f"ClsHead tells two directions apart, 0 and 180 degrees, not {shown(classes)}")


def _before_classes(source: Source, section: dict[str, Any], place: str) -> None:
    """Take what a MultiHead's CTCHead has before its last layer."""
    for key in ("mid_channels", "use_guide"):
        if key in source:
            section[key] = source.value(key)
            source.taken(key, f"{place}.{key}: {written(section[key])}")


def _ctc(source: Source) -> float | None:
    """Answer what CTC's linear layer says beside its size, and return its own L2 decay."""
    decay = None
    if "fc_decay" in source:
        decay = source.number("fc_decay", 0.0)
        source.taken("fc_decay", f"train.head_l2: {decay:g}")
    if "return_feats" in source:
        source.not_needed("return_feats", "a loss names the layer that it reads")
    source.close(_CTC_HEAD_KEYS)
    return decay


def _multi_head(source: Source, network: Network, place: str) -> dict[str, Any]:
    """Return the head that ships of a MultiHead, and put its others among the network's guides."""
    source.taken("name", f"{place}: MultiHead, what ships of it; its other heads stand under train.guides")
    section: dict[str, Any] = {"name": "MultiHead"}
    alone = False
    for name, inner in source.named("head_list"):
        if name == "CTCHead":
            neck = inner.section("Neck") if "Neck" in inner else inner
            kind = neck.text("name", neck.text("encoder_type"))
            part = SEQUENCE_MODELS.get(kind)
            if part is None:
                raise neck.error(
                    "",
                    f"{shown(kind)} is no sequence model of a MultiHead here",
                    f"ppedge has {', '.join(SEQUENCE_MODELS)}.",
                )
            neck.taken("name" if "name" in neck else "encoder_type", f"{place}.neck.name: {part.name}")
            section["neck"] = section_of(neck, part, f"{place}.neck", named=False)
            head = inner.section("Head") if "Head" in inner else inner
            if neck is not head:
                alone = bool(neck.value("use_guide", False))
                neck.taken("use_guide", f"train.guides: backbone_alone: {str(alone).lower()}")
            _before_classes(head, section, place)
            network.head_l2 = _ctc(head)
            neck.close()
            inner.close()
        elif name in GUIDES:
            network.guides.append(section_of(inner, GUIDES[name], f"train.guides.{name}", named=False))
            inner.close(GUIDES[name].without_effect)
        else:
            raise inner.error("", f"{name} is no head of a MultiHead here", f"ppedge has CTCHead, {', '.join(GUIDES)}.")
    if "neck" not in section:
        raise source.error("head_list", "has no CTCHead, the head that ships", "Name one.")
    if alone and not network.guides:
        source.changed(
            "head_list", "the backbone learns from CTC, since there is no other head that it could learn from"
        )
    for guide in network.guides:
        guide["backbone_alone"] = alone
    source.close(_CTC_HEAD_KEYS)
    return section
