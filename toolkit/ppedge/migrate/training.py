"""``Global`` and ``Optimizer``: what ``train`` says of epochs, learning rate, decay and weights to start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ppedge.errors import shown
from ppedge.migrate.architecture import Networks, is_backbone, weight_file
from ppedge.migrate.source import Source, written

_WITHOUT_EFFECT = {
    "debug": "it decides nothing about the network",
    "use_gpu": "`--device` says it",
    "use_xpu": "`--device` says it",
    "use_npu": "`--device` says it",
    "use_mlu": "`--device` says it",
    "use_gcu": "`--device` says it",
    "distributed": "`--nproc` says it",
    "log_smooth_window": "it is of the log",
    "print_batch_step": "it is of the log",
    "use_visualdl": "it is of the log",
    "log_writer": "it is of the log",
    "save_model_dir": "a run lies in runs/, under the recipe's name, or where `--out` says",
    "save_epoch_step": "last.ckpt is written after each epoch, best.pdparams after each evaluation",
    "save_inference_dir": "`ppedge convert` exports",
    "save_res_path": "`ppedge ocr` prints what it finds",
    "infer_img": "`ppedge ocr` takes pictures",
    "infer_mode": "stages know whether they train",
    "cal_metric_during_train": "the metric is measured on the pictures of data.eval",
    "d2s_train_image_shape": "training is not turned into a static graph",
    "model_name": "the recipe has its own",
    "amp_custom_black_list": "operators that lose precision are known",
    "amp_custom_white_list": "operators that lose precision are known",
    "scale_loss": "losses are scaled as far as gradients stay finite",
    "use_dynamic_loss_scaling": "losses are scaled as far as gradients stay finite",
    "label_list": "a classifier tells 0 and 180 degrees apart",
    "character_type": "the character set says it",
}
_DIGITS = 12
"""Significant ones that a quotient of two learning rates is rounded to."""


def training_of(source: Source, optimizer: Source, networks: Networks, summed: int = 1) -> dict[str, Any]:
    """Return what ``train`` says beside networks, losses and augmentations.

    Args:
        source: ``Global``.
        optimizer: ``Optimizer``.
        networks: Of the configuration.
        summed: Over how many pictures PaddleOCR adds its loss up, where ppedge takes the mean.
    """
    train: dict[str, Any] = {"epochs": source.value("epoch_num", 1)}
    source.taken("epoch_num", f"train.epochs: {written(train['epochs'])}")
    _weights(source, networks, train)
    if "eval_batch_step" in source:
        source.changed(
            "eval_batch_step",
            "train.eval_every: 1, it counts epochs and this counts steps: divide the steps by lines of data / batch",
        )
    if source.value("use_amp", False):
        train["amp"] = True
        source.taken("use_amp", "train.amp: true")
        if source.text("amp_level", "O1") != "O1":
            source.changed("amp_level", "mixed precision is O1: weights stay in float32")
    source.not_needed("use_amp", "it is off")
    source.not_needed("amp_level", "mixed precision is O1, where it is on")
    _average(source, train)
    train |= _optimizer(optimizer, summed)
    if networks.net.head_l2 is not None:
        train["head_l2"] = networks.net.head_l2
    source.close(_WITHOUT_EFFECT)
    return train


def _average(source: Source, train: dict[str, Any]) -> None:
    """Take the average of weights that is kept, which PaddleOCR calls EMA."""
    if not source.value("use_ema", False):
        for key in ("use_ema", "ema_decay", "ema_decay_type"):
            source.not_needed(key, "no average of the weights is kept")
        return
    train["ema"] = source.number("ema_decay", 0.9998)
    source.taken("use_ema", f"train.ema: {train['ema']:g}")
    source.taken("ema_decay", f"train.ema: {train['ema']:g}")
    kind = source.text("ema_decay_type", "threshold")
    if kind == "threshold":
        source.taken("ema_decay_type", "as train.ema has it: less stays in the first steps")
    else:
        source.changed("ema_decay_type", f"less stays in the first steps, as by threshold, not as by {shown(kind)}")


def _weights(source: Source, networks: Networks, train: dict[str, Any]) -> None:
    """Take the weights to start from; a checkpoint goes before them, as in PaddleOCR."""
    if networks.weights:
        train["weights"] = networks.weights
    if networks.backbone_weights:
        train["backbone_weights"] = networks.backbone_weights
    for key in ("pretrained_model", "checkpoints"):
        if key not in source:
            continue
        named = source.text(key)
        path = weight_file(named)
        ours = "backbone_weights" if is_backbone(path) else "weights"
        for other in ("weights", "backbone_weights"):
            train.pop(other, None)
        train[ours] = path
        sentence = f"train.{ours}: {path}"
        if key == "checkpoints":
            source.changed(key, f"{sentence}, from epoch 0: the optimiser's state of PaddleOCR is not read")
        elif "://" in named:
            source.changed(key, f"{sentence}: ppedge downloads nothing, fetch {named} and put it there")
        else:
            source.taken(key, sentence)
        if networks.peers:
            _share(source, key, path, networks)


def _share(source: Source, key: str, path: str, networks: Networks) -> None:
    """Let the peers of a distillation start from the file that the configuration names for all networks."""
    backbone = is_backbone(path)
    for theirs, ours in networks.names.items():
        if ours not in networks.peers or (backbone and networks.peers[ours]["model"] != "same"):
            continue
        if backbone:
            networks.peers[ours] |= {"backbone_weights": path}
            source.taken(key, f"train.peers.{ours}.backbone_weights: {path}")
        else:
            networks.peers[ours] |= {"weights": path, "part": theirs}
            source.taken(key, f"train.peers.{ours}.weights: {path}, part: {theirs}")


def _optimizer(source: Source, summed: int) -> dict[str, Any]:
    """Return what ``train`` says of the optimiser.

    Adam forgets by how much a gradient is too large, but for the L2 decay that is added to it.
    """
    if source.text("name", "Adam") == "Adam":
        source.taken("name", "ppedge trains by Adam")
    else:
        source.changed("name", f"ppedge trains by Adam, not by {shown(source.text('name'))}")
    for key, fixed in (("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8)):
        if source.number(key, fixed) == fixed:
            source.taken(key, "it is ppedge's")
        else:
            source.left_out(key, f"Adam's {key} is {fixed:g}")
    train = _rate(source)
    regularizer = source.section("regularizer")
    if regularizer.text("name", "L2") == "L2":
        train["l2"] = regularizer.number("factor", 0.0)
        regularizer.taken("name", "train.l2")
        if summed > 1 and train["l2"]:
            train["l2"] /= summed
            regularizer.changed(
                "factor",
                f"train.l2: {train['l2']:g}, since PaddleOCR adds this loss up over the {summed} pictures of a "
                "batch, and here it is the mean",
            )
        regularizer.taken("factor", f"train.l2: {train['l2']:g}")
    else:
        regularizer.left_out("name", f"weights decay by L2 only, not by {shown(regularizer.text('name'))}")
    regularizer.close()
    source.close()
    return train


def _rate(source: Source) -> dict[str, Any]:
    """Return learning rate, warm-up and decay."""
    if not source.is_section("lr"):
        rate = source.number("lr", 1e-3)
        source.taken("lr", f"train.learning_rate: {rate:g}, constant")
        return {"learning_rate": rate, "decay": {"name": "constant"}}
    rates = source.section("lr")
    warmup = rates.number("warmup_epoch", 0)
    rates.taken("warmup_epoch", f"train.warmup_epochs: {warmup:g}")
    name = rates.text("name", "Const")
    train = _DECAYS.get(name, _other)(rates, warmup)
    rates.close()
    return {**train, "warmup_epochs": warmup}


def _learning_rate(source: Source) -> float:
    rate = source.number("learning_rate", 1e-3)
    source.taken("learning_rate", f"train.learning_rate: {rate:g}")
    return rate


def _cosine(source: Source, warmup: float) -> dict[str, Any]:
    if warmup:
        source.changed(
            "name",
            "train.decay: cosine, which ends at 0; PaddleOCR's begins after the warm-up and is cut off before its end",
        )
    else:
        source.taken("name", "train.decay: cosine")
    return {"learning_rate": _learning_rate(source)}


def _constant(source: Source, warmup: float) -> dict[str, Any]:
    source.taken("name", "train.decay: constant")
    return {"learning_rate": _learning_rate(source), "decay": {"name": "constant"}}


def _piecewise(source: Source, warmup: float) -> dict[str, Any]:
    values, milestones = source.numbers("values"), source.numbers("decay_epochs")
    if not values or not all(value > 0 for value in values):
        raise source.error("values", "must list learning rates above 0", "One for each piece.")
    source.taken("name", "train.decay: piecewise")
    source.taken("values", f"train.learning_rate: {values[0]:g}, and train.decay.factors")
    return {"learning_rate": values[0], **_steps(source, "decay_epochs", milestones, values, warmup)}


def _multi_step(source: Source, warmup: float) -> dict[str, Any]:
    rate, gamma, milestones = _learning_rate(source), source.number("gamma", 0.1), source.numbers("milestones")
    source.taken("name", "train.decay: piecewise")
    source.taken("gamma", "train.decay.factors")
    if not rate > 0:
        raise source.error("learning_rate", f"must be above 0, not {rate:g}")
    values = [rate * gamma**power for power in range(len(milestones) + 1)]
    return {"learning_rate": rate, **_steps(source, "milestones", milestones, values, warmup)}


def _steps(source: Source, key: str, milestones: list[float], values: list[float], warmup: float) -> dict[str, Any]:
    """Return the decay whose rate changes at milestones, in epochs after the warm-up, to values."""
    pieces = list(zip(milestones, values[1:], strict=False))
    if not pieces:
        source.changed(key, "train.decay: constant, since it names no other learning rate")
        return {"decay": {"name": "constant"}}
    epochs = [epoch + warmup for epoch, _ in pieces]
    said = f"train.decay.epochs: {epochs}, which count the epochs of the warm-up too"
    (source.changed if warmup else source.taken)(key, said)
    factors = [float(f"{value / values[0]:.{_DIGITS}g}") for _, value in pieces]
    return {"decay": {"name": "piecewise", "epochs": epochs, "factors": factors}}


def _other(source: Source, warmup: float) -> dict[str, Any]:
    source.changed("name", f"train.decay: cosine; ppedge has no {shown(source.text('name'))}")
    if "max_lr" in source:
        rate = source.number("max_lr", 1e-3)
        source.taken("max_lr", f"train.learning_rate: {rate:g}")
        return {"learning_rate": rate}
    return {"learning_rate": _learning_rate(source)}


_DECAYS: Mapping[str, Callable[[Source, float], dict[str, Any]]] = {
    "Cosine": _cosine,
    "Const": _constant,
    "Piecewise": _piecewise,
    "MultiStepDecay": _multi_step,
}
"""By PaddleOCR's name."""
