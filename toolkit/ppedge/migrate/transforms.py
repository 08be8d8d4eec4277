"""The lists of transforms: augmentations, sizes and normalisation.

A transform that is not in the list is not done: the recipe says so, since its own defaults do some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ppedge.errors import shown
from ppedge.migrate.source import Source, written

_ALWAYS = {
    "DecodeImage": "pictures are read in BGR",
    "DetLabelEncode": "labels are read as the task wants them",
    "CTCLabelEncode": "labels are read as the task wants them",
    "ClsLabelEncode": "labels are read as the task wants them: each line is learned both ways",
    "MultiLabelEncode": "labels of guides are made of the same text",
    "ToCHWImage": "batches are (N, C, H, W)",
    "KeepKeys": "batches hold what losses read",
}
_SETTLED: Mapping[str, Mapping[str, Any]] = {
    "DecodeImage": {"img_mode": "BGR"},
    "MakeBorderMap": {"shrink_ratio": 0.4, "thresh_min": 0.3, "thresh_max": 0.7},
    "MakeShrinkMap": {"shrink_ratio": 0.4, "min_text_size": 8},
    "NormalizeImage": {"order": "hwc"},
}
"""Keys of transforms whose values are ppedge's own, fixed ones."""
_NO_EFFECT = {
    "channel_first": "the order of a picture's axes is known",
    "ignore_orientation": "pictures are turned as their EXIF data say",
    "keep_keys": "batches hold what losses read",
    "gtc_encode": "labels of guides are made of the same text",
    "character_dict_path": "Global says it",
    "use_space_char": "Global says it",
    "max_text_length": "texts of any length are measured",
    "total_epoch": "it does nothing in PaddleOCR either: no epoch reaches it",
    "scale": "pixels are divided by 255",
    "max_tries": "ten squares are tried, of which the one that cuts the fewest words is taken",
    "keep_ratio": "pictures keep their shape",
}
_LINE_SIZES = {
    "RecResizeImg": "",
    "ClsResizeImg": "",
    "SVTRRecResizeImg": "",
    "SSLRotateResize": "each line is learned upright and upside down, not turned by 90 and 270 degrees as well",
}
"""Transforms that say a line's size, and what of them is otherwise here."""
_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_SIDES = 2
_PROBABILITY = 0.4
"""Of each change of RecAug, where it names none."""


@dataclass
class Pictures:
    """What a recipe says of pictures.

    Attributes:
        data: Its section ``data``.
        train: Keys of its section ``train``.
        sections: Its sections on pre-processing, and what else stands at its top.
    """

    data: dict[str, Any]
    train: dict[str, Any] = field(default_factory=dict)
    sections: dict[str, Any] = field(default_factory=dict)


def training(dataset: Source, pictures: Pictures, task: str) -> None:
    """Take the transforms of training, after those of evaluation: sizes are what training does otherwise."""
    if task == "det":
        augment: dict[str, Any] = {"flip": 0.0, "rotate": 0.0, "scale": [1.0, 1.0], "color": 0.0}
    else:
        augment = {"perspective": 0.0, "blur": 0.0, "noise": 0.0, "color": 0.0}
    for name, source in dataset.named("transforms"):
        if name in _AUGMENTATIONS:
            _AUGMENTATIONS[name](source, augment)
        else:
            _common(name, source, pictures, task)
    pictures.train["det_augment" if task == "det" else "rec_augment"] = augment


def evaluation(dataset: Source, pictures: Pictures, task: str) -> None:
    """Take the transforms of evaluation."""
    if task == "det":
        pictures.sections.setdefault("det_preprocess", {}).update({"limit_side": 736, "limit_type": "min"})
    for name, source in dataset.named("transforms"):
        if name == "DetResizeForTest":
            _resize_for_test(source, pictures)
        else:
            _common(name, source, pictures, task)


def _common(name: str, source: Source, pictures: Pictures, task: str) -> None:
    """Take a transform of training and evaluation."""
    if name == "NormalizeImage" and task == "det":
        _normalize(source, pictures)
    elif name in _LINE_SIZES:
        _resize_line(source, pictures, task)
        if _LINE_SIZES[name]:
            source.changed("", _LINE_SIZES[name])
    elif name in _SETTLED or name in _ALWAYS:
        source.not_needed("", _ALWAYS.get(name, "targets are drawn as DB's are"))
    else:
        source.left_out("", f"ppedge has no {name}: it is not done")
        return
    for key, value in _SETTLED.get(name, {}).items():
        if key in source:
            if source.value(key) == value:
                source.taken(key, "it is ppedge's")
            else:
                source.left_out(key, f"{key} is {value}")
    source.close(_NO_EFFECT)


def _normalize(source: Source, pictures: Pictures) -> None:
    section = pictures.sections.setdefault("det_preprocess", {})
    for key, usual in (("mean", _MEAN), ("std", _STD)):
        section[key] = source.value(key, usual)
        source.taken(key, f"det_preprocess.{key}: {written(section[key])}")


def _resize_line(source: Source, pictures: Pictures, task: str) -> None:
    shape = source.values("image_shape")
    if len(shape) <= _SIDES:
        raise source.error("image_shape", f"must list channels, height and width, not {shown(shape)}")
    height, width = shape[-_SIDES:]
    section = "cls_preprocess" if task == "cls" else "rec_preprocess"
    if task == "cls":
        keys = {"height": height, "width": width}
    elif source.value("eval_mode", False):
        keys = {"height": height, "min_width": width}
    else:
        keys = {"height": height, "min_width": width, "max_width": width}
    earlier = pictures.sections.setdefault(section, keys)
    if keys == {**earlier, "max_width": width} != earlier:
        pictures.train["max_width"] = width
        source.taken("image_shape", f"train.max_width: {written(width)}: longer lines are squeezed in training alone")
    elif earlier != keys:
        source.left_out("image_shape", f"{section} is one for training and evaluation: {written(earlier)}")
    elif "max_width" in keys:
        source.changed(
            "image_shape",
            f"{section}: {written(keys)}: longer lines are squeezed, as in PaddleOCR's training and evaluation; its "
            "prediction lets them be wider, raise max_width for that",
        )
    else:
        source.taken("image_shape", f"{section}: {written(keys)}")
    source.taken("eval_mode", "rec_preprocess has no max_width: longer lines are not squeezed")
    if source.value("padding", True):
        source.not_needed("padding", "a line narrower than min_width is padded")
    else:
        source.left_out("padding", "a line narrower than min_width is padded, not stretched")


def _resize_for_test(source: Source, pictures: Pictures) -> None:
    """Take the size at which a detector is evaluated."""
    section = pictures.sections["det_preprocess"]
    if "image_shape" in source:
        source.changed(
            "image_shape",
            "det_preprocess.limit_side: 736 of the shorter side: pictures keep their shape",
        )
    elif "resize_long" in source:
        section |= {"limit_side": source.value("resize_long"), "limit_type": "max"}
        source.changed("resize_long", f"det_preprocess.limit_side: {written(section['limit_side'])}, limit_type: max")
    elif "limit_side_len" in source:
        section |= {"limit_side": source.value("limit_side_len"), "limit_type": source.text("limit_type", "min")}
        source.taken("limit_side_len", f"det_preprocess.limit_side: {written(section['limit_side'])}")
        source.taken("limit_type", f"det_preprocess.limit_type: {section['limit_type']}")
    else:
        source.taken("", "det_preprocess: {limit_side: 736, limit_type: min}, PaddleOCR's default")
    source.close()


def _iaa(source: Source, augment: dict[str, Any]) -> None:
    """Take flip, turn and zoom of IaaAugment; those of its defaults where it names none."""
    if "augmenter_args" not in source:
        augment |= {"flip": 0.5, "rotate": 10.0, "scale": [0.5, 3.0]}
        source.taken("", f"train.det_augment: {written(augment)}, PaddleOCR's defaults")
    for entry in source.entries("augmenter_args"):
        kind, args = entry.text("type"), entry.section("args")
        if kind in ("Fliplr", "HorizontalFlip"):
            augment["flip"] = args.number("p", 0.5)
            entry.taken("type", f"train.det_augment.flip: {augment['flip']:g}")
            args.taken("p", "flip")
        elif kind == "Affine":
            turns = args.numbers("rotate")
            augment["rotate"] = max(map(abs, turns), default=0.0)
            entry.taken("type", f"train.det_augment.rotate: {augment['rotate']:g}, either way")
            args.taken("rotate", "rotate")
            if "p" in args:
                augment["rotate_probability"] = args.number("p", 1.0)
                args.taken("p", f"train.det_augment.rotate_probability: {augment['rotate_probability']:g}")
            if args.value("fit_output", True):
                args.taken("fit_output", "what is turned out of the frame is seen")
            else:
                args.changed("fit_output", "what is turned out of the frame is seen")
        elif kind in ("Resize", "RandomScale"):
            key = "size" if kind == "Resize" else "scale_limit"
            augment["scale"] = args.numbers(key)
            entry.changed(
                "type",
                f"train.det_augment.scale: {written(augment['scale'])}, of the size at which a picture is evaluated; "
                "PaddleOCR's is of the size of the file",
            )
            args.taken(key, "scale")
        else:
            entry.left_out("type", f"ppedge has no {shown(kind)}: it is not done")
        args.close()
        entry.close()
    source.close()


def _crop(source: Source, augment: dict[str, Any]) -> None:
    sides = source.values("size")
    if not sides or not all(isinstance(side, int) for side in sides):
        raise source.error("size", f"must list width and height, not {shown(sides)}")
    augment["crop"] = sides[0]
    if len(set(sides)) == 1:
        source.taken("size", f"train.det_augment.crop: {sides[0]}")
    else:
        source.changed("size", f"train.det_augment.crop: {sides[0]}, a square")
    source.close(_NO_EFFECT)


def _color_jitter(source: Source, augment: dict[str, Any]) -> None:
    keys = ("brightness", "contrast", "saturation", "hue")
    augment["color"] = min(1.0, max(source.number("brightness", 0.0), source.number("contrast", 0.0)))
    source.changed(
        "",
        f"train.det_augment.color: {augment['color']:g}: brightness, contrast and saturation by as much, and the "
        "balance of colours by half of it in place of the hue",
    )
    source.close(dict.fromkeys(keys, "train.det_augment.color is one strength for all"))


def _copy_paste(source: Source, augment: dict[str, Any]) -> None:
    augment["copy_paste"] = 1.0
    source.taken("", "train.det_augment.copy_paste: 1.0")
    source.close()


def _rec_aug(source: Source, augment: dict[str, Any]) -> None:
    """Take the changes of RecAug; hsv, jitter and noise change next to nothing in PaddleOCR."""
    tia = source.value("use_tia", True)
    chances = {"tia": source.number("tia_prob", _PROBABILITY if tia else 0.0)}
    for ours, theirs in (("crop", "crop_prob"), ("reverse", "reverse_prob"), ("blur", "blur_prob")):
        chances[ours] = source.number(theirs, _PROBABILITY)
        source.taken(theirs, f"train.rec_augment.{ours}: {chances[ours]:g}")
    augment |= chances
    source.taken("use_tia", f"train.rec_augment.tia: {chances['tia']:g}")
    source.taken("tia_prob", f"train.rec_augment.tia: {chances['tia']:g}")
    source.changed(
        "", f"train.rec_augment: {written(chances)}; hsv, jitter and noise, which change next to nothing, are not done"
    )
    weak = dict.fromkeys(("jitter_prob", "noise_prob", "hsv_aug_prob"), "the change is next to nothing")
    source.close(weak)


def _base_augmentation(source: Source, augment: dict[str, Any]) -> None:
    """Take the changes of a classifier's lines: those of RecAug without TIA."""
    chances = {"crop": _PROBABILITY, "reverse": _PROBABILITY, "blur": _PROBABILITY}
    augment |= chances
    source.changed(
        "", f"train.rec_augment: {written(chances)}; hsv, jitter and noise, which change next to nothing, are not done"
    )
    source.close()


def _concat(source: Source, augment: dict[str, Any]) -> None:
    """Take RecConAug: the image_shape is (height, width, channels)."""
    augment["concat"] = source.number("prob", 0.5)
    source.taken("prob", f"train.rec_augment.concat: {augment['concat']:g}")
    for theirs, ours in (("ext_data_num", "concat_lines"), ("max_text_length", "concat_characters")):
        if theirs in source:
            augment[ours] = source.value(theirs)
            source.taken(theirs, f"train.rec_augment.{ours}: {written(augment[ours])}")
    shape = source.numbers("image_shape")
    if len(shape) >= _SIDES and shape[0] > 0:
        augment["concat_ratio"] = round(shape[1] / shape[0], 2)
        source.taken("image_shape", f"train.rec_augment.concat_ratio: {augment['concat_ratio']}")
    source.close()


_AUGMENTATIONS: Mapping[str, Callable[[Source, dict[str, Any]], None]] = {
    "IaaAugment": _iaa,
    "EastRandomCropData": _crop,
    "RandomCrop": _crop,
    "ColorJitter": _color_jitter,
    "CopyPaste": _copy_paste,
    "RecAug": _rec_aug,
    "BaseDataAugmentation": _base_augmentation,
    "RecConAug": _concat,
}
"""By PaddleOCR's name."""
