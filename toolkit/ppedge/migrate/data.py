"""``Train``, ``Eval`` and the character set: what ``data`` says, sizes of batches, and what pictures go through."""

from __future__ import annotations

import os.path
from pathlib import PurePosixPath
from typing import Any

from ppedge.errors import shown
from ppedge.migrate import transforms
from ppedge.migrate.source import Source, written
from ppedge.migrate.transforms import Pictures
from ppedge.ocr.charset import dictionaries

_OF_LOADER = {
    "use_shared_memory": "batches travel as they can",
    "num_sections": "batches are made whole",
    "collate_fn": "batches are made as the task wants them",
}
_OF_EVALUATION = _OF_LOADER | {
    "shuffle": "the figures do not depend on the order",
    "drop_last": "every picture is measured",
    "batch_size_per_card": "the figures do not depend on it",
    "num_workers": "evaluation takes train.workers",
}
_OF_DATASET = {
    "ext_op_transform_idx": "lines are set side by side before all other changes",
    "delimiter": "a tab parts path and label",
    "ds_width": "widths are those of the lines",
}
_OF_SAMPLER = {
    "fix_bs": "height times lines stays about the same",
    "divided_factor": "the network takes any width",
    "is_training": "evaluation has one height",
}
_SIDES = 2
_IN_UTILS = ("ppocr_keys_v1", "en_dict", "ic15_dict")
"""Dictionaries in PaddleOCR's folder ppocr/utils; all others are in ppocr/utils/dict."""
_DATASETS = ("SimpleDataSet", "MultiScaleDataSet", "PubTabDataSet")


def pictures_of(train: Source, evaluation: Source, top: Source, task: str) -> Pictures:
    """Return what a recipe says of pictures.

    Args:
        train: ``Train``.
        evaluation: ``Eval``.
        top: ``Global``.
        task: ``det``, ``rec`` or ``cls``.

    Raises:
        PpedgeError: The data set is of a kind that ppedge does not read.
    """
    dataset, other = train.section("dataset"), evaluation.section("dataset")
    root = _folder(dataset)
    pictures = Pictures({"root": root, "train": _label_files(dataset, root, "train")})
    pictures.data["eval"] = _label_files(other, root, "eval")
    _same_folder(other, root)
    _charset(top, pictures.data, task)
    transforms.evaluation(other, pictures, task)
    transforms.training(dataset, pictures, task)
    for one in (dataset, other):
        one.close(_OF_DATASET)
    loader = train.section("loader")
    for theirs, ours in (("batch_size_per_card", "batch_size"), ("num_workers", "workers")):
        if theirs in loader:
            pictures.train[ours] = loader.value(theirs)
            loader.taken(theirs, f"train.{ours}: {written(pictures.train[ours])}")
    _order(loader)
    loader.close(_OF_LOADER)
    evaluation.section("loader").close(_OF_EVALUATION)
    _sampler(train.section("sampler"), pictures)
    train.close()
    evaluation.close()
    return pictures


def _order(loader: Source) -> None:
    """Answer in which order samples are taken, and what becomes of those that do not fill a batch."""
    for key, sentence in (
        ("shuffle", "each epoch has an order of its own"),
        ("drop_last", "what does not fill a batch is left out, in each epoch another part"),
    ):
        if loader.value(key, True):
            loader.taken(key, sentence)
        else:
            loader.changed(key, sentence)


def _folder(dataset: Source) -> str:
    """Return ``data.root``."""
    kind = dataset.text("name", _DATASETS[0])
    if kind not in _DATASETS:
        raise dataset.error("name", f"{shown(kind)} is no data set that ppedge reads", "It reads SimpleDataSet.")
    dataset.taken("name", "label files of PPOCR's format")
    root = os.path.normpath(dataset.text("data_dir", "."))
    dataset.taken("data_dir", f"data.root: {root}")
    return root


def _same_folder(dataset: Source, root: str) -> None:
    """Answer the folder of the pictures for evaluation: a recipe has one folder for all."""
    kind = dataset.text("name", _DATASETS[0])
    if kind not in _DATASETS:
        raise dataset.error("name", f"{shown(kind)} is no data set that ppedge reads", "It reads SimpleDataSet.")
    dataset.taken("name", "label files of PPOCR's format")
    folder = os.path.normpath(dataset.text("data_dir", "."))
    if folder == root:
        dataset.taken("data_dir", f"data.root: {root}")
    else:
        dataset.left_out(
            "data_dir",
            f"a recipe has one folder, data.root, here {root}: the pictures in data.eval must be named relative to it",
        )


def _label_files(dataset: Source, root: str, ours: str) -> list[Any]:
    """Return label files relative to the folder of the pictures, with the share of each that an epoch takes."""
    key = "label_file_list"
    files = []
    for named in dataset.values(key):
        if not isinstance(named, str) or not named:
            raise dataset.error(key, f"must list files, not {shown(named)}")
        files.append(named if PurePosixPath(named).is_absolute() else os.path.relpath(named, root))
    dataset.taken(key, f"data.{ours}: {written(files)}")
    ratios = dataset.values("ratio_list")
    if not ratios or all(ratio == 1 for ratio in ratios):
        dataset.taken("ratio_list", "each epoch takes all lines")
        return files
    if len(ratios) == 1:
        ratios = ratios * len(files)
    if len(ratios) != len(files):
        raise dataset.error("ratio_list", f"has {len(ratios)} ratios for {len(files)} files")
    if ours == "eval":
        dataset.left_out("ratio_list", "evaluation takes all lines")
        return files
    dataset.taken("ratio_list", f"data.{ours}: the ratio of each file")
    return [file if ratio == 1 else {"file": file, "ratio": ratio} for file, ratio in zip(files, ratios, strict=True)]


def _charset(top: Source, data: dict[str, Any], task: str) -> None:
    """Take the character set of a recogniser."""
    keys = ("character_dict_path", "use_space_char", "max_text_length")
    if task != "rec":
        for key in keys:
            top.not_needed(key, f"the task {task} reads no text")
        return
    if "character_dict_path" in top:
        path = top.text("character_dict_path")
        built_in = _built_in(path)
        data["charset"] = built_in or path
        said = f", PaddleOCR's {path}, which is built in" if built_in else ""
        top.taken("character_dict_path", f"data.charset: {data['charset']}{said}")
    else:
        data["charset"] = "ic15_dict"
        top.changed("character_dict_path", "data.charset: ic15_dict, digits and small letters, as PaddleOCR takes then")
    for key in keys[1:]:
        if key in top:
            data[key] = top.value(key)
            top.taken(key, f"data.{key}: {str(data[key]).lower()}")


def _built_in(path: str) -> str | None:
    """Return the name of a dictionary of PaddleOCR's that is built in; None of any other file.

    Names alone do not tell: PaddleOCR has another ``en_dict.txt`` among those of other languages.
    """
    file = PurePosixPath(path)
    folder = "utils" if file.stem in _IN_UTILS else "dict"
    return file.stem if file.stem in dictionaries() and file.parent.name == folder else None


def _sampler(source: Source, pictures: Pictures) -> None:
    """Take the heights that batches take turns in; a scale is width and height."""
    scales = source.values("scales")
    if not all(isinstance(scale, list) and list(map(type, scale)) == [int] * _SIDES for scale in scales):
        raise source.error("scales", f"must list widths and heights, not {shown(scales)}")
    if scales:
        widths, heights = zip(*scales, strict=True)
        pictures.train |= {"heights": list(heights), "max_width": max(widths)}
        source.taken("name", "train.heights")
        source.taken("scales", f"train.heights: {written(list(heights))}, train.max_width: {written(max(widths))}")
    if "first_bs" in source:
        pictures.train["batch_size"] = source.value("first_bs")
        source.taken("first_bs", f"train.batch_size: {written(pictures.train['batch_size'])}, at the first height")
    source.close(_OF_SAMPLER)
