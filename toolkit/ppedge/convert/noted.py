"""What PaddleOCR's exporter notes beside an inference model or ONNX file, since 2.9: ``inference.yml``.

It holds the steps that a picture went through in evaluation (``PreProcess.transform_ops``), what makes boxes or text of
the network's output (``PostProcess``), and a recogniser's dictionary. What a recipe can say of it is taken into one
that is made of the model, or held against one that is there; what none can say is refused, since the network would see
other numbers than it has learned from.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from ppedge.errors import PpedgeError, shown
from ppedge.files.inference_model import InferenceModel
from ppedge.ocr.spec import ClsPreprocess, DbPostprocess, DetPreprocess, RecPreprocess

Task = Literal["det", "rec", "cls"]
NOTES = "inference.yml"
_POSTPROCESS = {"thresh": "thresh", "box_thresh": "box_thresh", "max_candidates": "max_candidates",
                "unclip_ratio": "unclip_ratio", "use_dilation": "dilation", "score_mode": "score_mode"}  # fmt: skip
"""Of a detector, by the names there: the keys of a recipe's ``det_postprocess``."""
Section = DetPreprocess | RecPreprocess | ClsPreprocess
_SECTIONS: dict[Task, type[Section]] = {"det": DetPreprocess, "rec": RecPreprocess, "cls": ClsPreprocess}
_WITHOUT_EFFECT = {"ToCHWImage", "KeepKeys"}
"""Steps that say nothing of a network's input; so do those that read labels, whose names end in ``LabelEncode``."""
_LINE_STEPS: dict[Task, tuple[str, ...]] = {
    "det": (),
    "rec": ("RecResizeImg", "SVTRRecResizeImg"),
    "cls": ("ClsResizeImg",),
}
"""Steps that bring a line to a size, pad it and normalise it by `_LINE_MEAN` and `_LINE_STD`, as ppedge does."""
_LINE_MEAN = _LINE_STD = 0.5
_LEVELS = 255
_SIDES = 2
_SAME = 1e-5
"""Relative difference of means that are written with fewer digits."""
_AWAY = "If this file is not of this model, take it out of the folder."


def noted_postprocess(files: InferenceModel) -> dict[str, float | str | bool]:
    """Return what ``inference.yml`` beside a detector says of its boxes and is not the usual, by the recipe's keys.

    Nothing where there are no such notes, or they are of another form.
    """
    noted = _section(_path(files), "PostProcess")
    told = {ours: noted[theirs] for theirs, ours in _POSTPROCESS.items() if theirs in noted}
    try:
        given: DbPostprocess = TypeAdapter(DbPostprocess).validate_python(told)
    except ValidationError:
        return {}
    return given.unusual()


def has_postprocess(files: InferenceModel) -> bool:
    """Whether ``inference.yml`` beside a detector says anything of its boxes."""
    return not _POSTPROCESS.keys().isdisjoint(_section(_path(files), "PostProcess"))


def noted_preprocess(files: InferenceModel, task: Task) -> dict[str, Any]:
    """Return what ``inference.yml`` says of a network's input and is not the usual, by the recipe's keys.

    Args:
        files: The model.
        task: Its task, whose section (``det_preprocess``, ...) has these keys.

    Raises:
        PpedgeError: Pictures went through something that no recipe can say.
    """
    usual = asdict(_SECTIONS[task]())
    return {key: value for key, value in _input_of(_path(files), task).items() if not _same(value, usual[key])}


def assumed(files: InferenceModel, task: Task) -> dict[str, str]:
    """Return mean and std as a recipe has them where no notes say them, by the recipe's keys.

    Raises:
        PpedgeError: Pictures went through something that no recipe can say.
    """
    usual, known = _SECTIONS[task](), _input_of(_path(files), task)
    return {key: _written(getattr(usual, key)) for key in ("mean", "std") if key not in known}


def otherwise(files: InferenceModel) -> str:
    """Return what of a detector's noted size is otherwise here, as a sentence; nothing where it is as noted."""
    step = _steps(_path(files)).get("DetResizeForTest", {})
    if "image_shape" in step:
        return f"pictures had the fixed size {shown(step['image_shape'])}; here they keep their shape"
    if "resize_long" in step or step.get("limit_type") == "resize_long":
        return "small pictures were enlarged until their longer side was limit_side; here they keep their size"
    return ""


def require_preprocess(files: InferenceModel, task: Task, section: Section, *, free_height: bool) -> None:
    """Hold a recipe against what ``inference.yml`` says of a network's input.

    Mean, std and the height of lines are the network's. All other sizes are a choice between speed and what is found.

    Args:
        files: The model.
        task: The recipe's.
        section: What the recipe says of the network's input.
        free_height: The model's file leaves the height of lines free.

    Raises:
        PpedgeError: Pictures went through something that no recipe can say, or the recipe says something else.
    """
    path = _path(files)
    keys = ("mean", "std", "height") if free_height else ("mean", "std")
    noted = _input_of(path, task)
    for key in (key for key in keys if key in noted):
        ours = getattr(section, key)
        if not _same(noted[key], ours):
            theirs = _written(noted[key])
            raise PpedgeError(
                f"{path}: the network takes {key} {theirs}, {task}_preprocess.{key} is {_written(ours)}.",
                f"Use --set {task}_preprocess.{key}={theirs}. {_AWAY}",
            )


def require_dictionary(files: InferenceModel, characters: Sequence[str]) -> None:
    """Hold a recogniser's characters against ``inference.yml``, where the exporter has left it with the dictionary.

    Args:
        files: The model.
        characters: Of the recipe; an added space may follow those of the dictionary.

    Raises:
        PpedgeError: A class reads as something else there.
    """
    path = _path(files)
    for number, theirs in enumerate(_declared(path), 1):
        ours = characters[number - 1] if number <= len(characters) else None
        if ours != theirs:
            found = "has none so far" if ours is None else f"has {ours!r} there"
            raise PpedgeError(
                f"{path}: class {number} of the network reads as {theirs!r}, the character set {found}.",
                "Name the dictionary it was trained with, unchanged (data.charset, --charset FILE).",
            )


def _path(files: InferenceModel) -> Path:
    return files.model.with_name(NOTES)


def _section(path: Path, name: str) -> dict[Any, Any]:
    """Return a section of an exporter's notes; nothing if there are none, or they are of another form."""
    try:
        noted = _parsed(path.read_bytes())[name]
    except (OSError, yaml.YAMLError, RecursionError, ValueError, LookupError, TypeError):
        return {}
    return noted if isinstance(noted, dict) else {}


@functools.lru_cache(maxsize=1)
def _parsed(notes: bytes) -> Any:
    """Parse notes, once for all that is asked of them: a dictionary of 18,000 characters takes half a second."""
    return yaml.safe_load(notes)


def _declared(path: Path) -> list[str]:
    """Return the dictionary that an exporter's notes hold; nothing if there is none, or it is of another form."""
    characters = _section(path, "PostProcess").get("character_dict")
    if not isinstance(characters, list) or not all(isinstance(entry, str) for entry in characters):
        return []
    return [entry.strip("\r\n") for entry in characters]


def _steps(path: Path) -> dict[str, dict[Any, Any]]:
    """Return the steps of pre-processing and their keys; nothing if there are none, or the list is of another form."""
    listed = _section(path, "PreProcess").get("transform_ops")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    steps = {str(name): keys for entry in entries for name, keys in entry.items()}
    return {name: keys if isinstance(keys, dict) else {} for name, keys in steps.items()}


def _input_of(path: Path, task: Task) -> dict[str, Any]:
    """Return what the steps say of a network's input, by the keys of the recipe's section.

    Raises:
        PpedgeError: A recipe cannot say it.
    """
    found: dict[str, Any] = {}
    for name, keys in _steps(path).items():
        if name in _WITHOUT_EFFECT or name.endswith("LabelEncode"):
            continue
        if name == "DecodeImage":
            mode = keys.get("img_mode", "BGR")
            if mode != "BGR":
                raise _refused(path, f"{name} gives the network channels in the order {shown(mode)}, ppedge in BGR")
        elif name == "DetResizeForTest" and task == "det":
            found |= _det_size(keys)
        elif name == "NormalizeImage" and task == "det":
            found |= _normalisation(path, keys)
        elif name in _LINE_STEPS[task]:
            found |= _line(path, name, keys, task)
        else:
            raise _refused(path, f"pictures go through {shown(name)}, which ppedge does not do for the task {task}")
    try:
        section: Section = TypeAdapter(_SECTIONS[task]).validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, (f"{task}_preprocess", *first["loc"])))
        raise _refused(path, f"what it says of pictures is none that {where} may have ({first['msg']})") from error
    return {key: value for key, value in asdict(section).items() if key in found}


def _refused(path: Path, why: str) -> PpedgeError:
    return PpedgeError(f"{path}: {why}.", f"Export the network with steps that ppedge has. {_AWAY}")


def _det_size(keys: Mapping[Any, Any]) -> dict[str, Any]:
    """Return at which size a detector sees a picture; nothing of a fixed one, since pictures keep their shape."""
    longest = {"max_side": keys["max_side_limit"]} if "max_side_limit" in keys else {}
    if "image_shape" in keys:
        return longest
    if "resize_long" in keys:
        return {"limit_side": keys["resize_long"], "limit_type": "max", **longest}
    if "limit_side_len" in keys:
        kind = keys.get("limit_type", "min")
        return {"limit_side": keys["limit_side_len"], "limit_type": "max" if kind == "resize_long" else kind, **longest}
    return longest


def _normalisation(path: Path, keys: Mapping[Any, Any]) -> dict[str, Any]:
    """Return mean and std of x / 255, whatever pixels are multiplied by there."""
    usual = DetPreprocess()
    scale = keys.get("scale")
    times = 1.0 if scale is None else _number(scale) * _LEVELS
    if not 0 < times < math.inf:
        raise _refused(path, f"NormalizeImage multiplies pixels by {shown(scale)}, which is no number above 0")
    found = {}
    for key, ours in (("mean", usual.mean), ("std", usual.std)):
        theirs = keys.get(key)
        values = [_number(value) / times for value in theirs] if isinstance(theirs, list) else list(ours)
        if len(values) != len(ours) or not all(map(math.isfinite, values)):
            raise _refused(path, f"NormalizeImage has the {key} {shown(theirs)}, which are no three numbers")
        found[key] = [round(value, 6) for value in values]
    return found


def _line(path: Path, name: str, keys: Mapping[Any, Any], task: Task) -> dict[str, Any]:
    """Return how a line becomes the network's input."""
    if not keys.get("padding", True):
        raise _refused(path, f"{name} stretches lines to one width, ppedge pads them")
    found: dict[str, Any] = {"mean": _LINE_MEAN, "std": _LINE_STD}
    shape = keys.get("image_shape")
    if isinstance(shape, list) and len(shape) > _SIDES:
        height, width = shape[-_SIDES:]
        found |= {"height": height, "width" if task == "cls" else "min_width": width}
    return found


def _number(value: Any) -> float:
    """Return a number, also of a quotient that is written as text (``1./255.``); NaN for what is none."""
    parts = value.split("/") if isinstance(value, str) else [value]
    try:
        numbers = [float(part) for part in parts]
        return numbers[0] / numbers[1] if len(numbers) == _SIDES else numbers[0]
    except (TypeError, ValueError, ArithmeticError):
        return math.nan


def _same(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, list | tuple):
        return len(theirs) == len(ours) and all(map(_same, theirs, ours))
    if isinstance(theirs, float):
        return math.isclose(theirs, ours, rel_tol=_SAME)
    return bool(theirs == ours)


def _written(value: Any) -> str:
    return f"[{','.join(f'{one:g}' for one in value)}]" if isinstance(value, list | tuple) else f"{value:g}"
