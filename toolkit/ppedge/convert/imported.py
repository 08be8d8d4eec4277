"""Inference models that somebody else has trained: found, held against the recipe, and brought into a run.

What PaddleOCR publishes as ``..._infer`` is such a model. Its ``.pdmodel`` says what goes in and what comes out, so
that a model of another task, or of another character set, is refused before Paddle sees it.

`main` runs in a process of its own, which has Paddle: it writes what Paddle makes of some inputs, to hold the converted
files against.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ppedge.convert.noted import Section, require_dictionary, require_preprocess
from ppedge.errors import PpedgeError
from ppedge.files.inference_model import InferenceModel, Signature
from ppedge.forkserver import ForkServer
from ppedge.ocr.charset import BUILT_IN
from ppedge.ocr.direction import DIRECTIONS
from ppedge.recipe.networks import Imported
from ppedge.recipe.road import Recipe
from ppedge.recipe.sizes import line_height

Task = Literal["det", "rec", "cls"]
TASKS: dict[Task, str] = {"det": "a detector", "rec": "a recogniser", "cls": "a direction classifier"}
# A map (N, 1, H, W); probabilities (N, T, C) of characters, (N, 2) of directions.
_OUTPUT_RANKS: dict[int, Task] = {4: "det", 3: "rec", 2: "cls"}
_TOLERANCE = 1e-2
"""By which a network's probabilities may miss what they should be, be it quantized."""


def find(folder: Path) -> InferenceModel:
    """Return the one inference model in a folder, after checking that its files are whole and belong together.

    Raises:
        PpedgeError: The folder is missing, holds none or several, or a file is missing or damaged.
    """
    if not folder.is_dir():
        raise PpedgeError(f"{folder}: no such folder.", "Name the unpacked folder of an inference model.")
    models = sorted(folder.glob("*.pdmodel"))
    if not models:
        newer = sorted(folder.glob("*.json"))
        if newer and list(folder.glob("*.pdiparams")):
            raise PpedgeError(
                f"{newer[0]}: Paddle 3's form of an inference model, which Paddle Lite's opt cannot read.",
                "Bring in the network's ONNX file by --from-onnx, or export it as .pdmodel (in Paddle 3, with "
                "FLAGS_enable_pir_api=0).",
            )
        raise PpedgeError(f"{folder}: holds no .pdmodel file.", "Name the folder of inference.pdmodel.")
    if len(models) > 1:
        names = ", ".join(path.name for path in models)
        raise PpedgeError(f"{folder}: holds several .pdmodel files ({names}).", "Put the one to convert in its own.")
    files = InferenceModel(models[0], models[0].with_suffix(".pdiparams"))
    files.check()
    return files


def task_of(files: InferenceModel) -> Task:
    """Tell from a model's output what it is for.

    Raises:
        PpedgeError: It is none of the three.
    """
    signature = files.signature()
    if len(signature.inputs) != 1 or len(signature.outputs) != 1:
        raise PpedgeError(
            f"{files.model}: has {len(signature.inputs)} inputs and {len(signature.outputs)} outputs.",
            "Networks for text have one of each.",
        )
    given, made = signature.inputs[0], signature.outputs[0]
    if len(given) != 4 or given[1] not in (3, -1):
        raise PpedgeError(f"{files.model}: takes {_shape(given)}, not pictures (N, 3, height, width).")
    task = _OUTPUT_RANKS.get(len(made))
    if task == "cls" and made[1] not in (len(DIRECTIONS), -1):
        raise PpedgeError(
            f"{files.model}: gives {_shape(made)}, as a classifier of something else than two directions does.",
            "Detectors, recognisers and direction classifiers can be brought in.",
        )
    if task is None or (task == "det" and made[1] not in (1, -1)):
        raise PpedgeError(f"{files.model}: gives {_shape(made)}, neither a text map nor probabilities of characters.")
    return task


def fixed_height(files: InferenceModel) -> int | None:
    """Return the height in pixels of the lines that a network takes, or None if its file leaves it free."""
    height = files.signature().inputs[0][2]
    return height if height > 0 else None


def of_recipe(recipe: Recipe, characters: Sequence[str]) -> InferenceModel:
    """Return the model that a recipe brings in, held against the recipe.

    Args:
        recipe: One whose network comes as an inference model.
        characters: For a recogniser, of the recipe.

    Raises:
        PpedgeError: As `find`, `require_dictionary`, `require_fit` and `require_preprocess`.
    """
    assert isinstance(recipe.model, Imported)
    files = find(recipe.model.inference)
    spaced = None if recipe.data.charset in BUILT_IN else recipe.data.use_space_char
    require_dictionary(files, characters)
    require_fit(files, recipe.task, line_height(recipe), len(characters) + 1, spaced)
    sections: dict[Task, Section] = {
        "det": recipe.det_preprocess,
        "rec": recipe.rec_preprocess,
        "cls": recipe.cls_preprocess,
    }
    require_preprocess(files, recipe.task, sections[recipe.task], free_height=fixed_height(files) is None)
    return files


def require_task(files: InferenceModel, task: str) -> None:
    """Check that a model is for a task.

    Raises:
        PpedgeError: It is for another one, or for none.
    """
    found = task_of(files)
    if found != task:
        raise PpedgeError(
            f"{files.model}: {TASKS[found]}, but the task is {task}.", f"Set the task {found}, or name another model."
        )


def require_fit(
    files: InferenceModel, task: Task, height: int, classes: int, use_space_char: bool | None = False
) -> None:
    """Check that a model is what the recipe says.

    Args:
        files: The model.
        task: The recipe's.
        height: For a recogniser or classifier, of the recipe's lines in pixels.
        classes: For a recogniser, of the recipe's character set, blank included.
        use_space_char: For a recogniser, whether its last class is the space that the recipe adds to a dictionary;
            None: the character set is no dictionary.

    Raises:
        PpedgeError: It is for another task, takes pictures of one size only, or has other classes.
    """
    require_task(files, task)
    signature = files.signature()
    _require_size(files, signature, task, height)
    if task == "rec":
        _require_classes(files, signature.outputs[0][2], classes, use_space_char)


def _require_size(files: InferenceModel, signature: Signature, task: Task, height: int) -> None:
    given = signature.inputs[0]
    free = given[2:] if task == "det" else given[3:]
    if any(side > 0 for side in free):
        raise PpedgeError(
            f"{files.model}: takes {_shape(given)} only; its {'height and width' if task == 'det' else 'width'} "
            "must be free.",
            "Export it again with free sides.",
        )
    if task != "det" and given[2] not in (height, -1):
        raise PpedgeError(
            f"{files.model}: takes lines of {given[2]} pixels' height, {task}_preprocess.height is {height}.",
            f"Use --set {task}_preprocess.height={given[2]}.",
        )


def _require_classes(files: InferenceModel, found: int, classes: int, use_space_char: bool | None) -> None:
    if found in (classes, -1):
        return
    hint = "Name the dictionary it was trained with, unchanged: each line is a class (data.charset, --charset FILE)."
    # A line too few or too many would shift all classes behind it: the space is no more than one explanation.
    if found == classes + 1 and use_space_char is False:
        hint += " If it is this one, the class more is the space of use_space_char: use --set data.use_space_char=true."
    elif found == classes - 1 and use_space_char:
        hint += " If it is this one, there was no use_space_char: use --set data.use_space_char=false."
    raise PpedgeError(f"{files.model}: has {found} classes, the character set (with blank) has {classes}.", hint)


def is_quantized(files: InferenceModel) -> bool:
    """Whether a model carries the operators of quantization-aware training."""
    return any(name.startswith("fake_") for name in files.signature().operators)


def bring_in(
    files: InferenceModel, prefix: Path, task: Task, height: int, forks: ForkServer, one_line: Path | None = None
) -> None:
    """Copy a model to ``PREFIX.pdmodel`` and ``.pdiparams``, and write ``PREFIX.npz``, what Paddle makes of it.

    Args:
        files: The model.
        prefix: Where to.
        task: Its task.
        height: Of the lines that a recogniser or classifier takes, in pixels.
        forks: Has Paddle imported.
        one_line: Prefix of the same network for one line at a time, which is written beside it; None: it is not.

    Raises:
        PpedgeError: Paddle cannot load or run it, it gives something else than probabilities, or nothing for one line
            at a time can be made of it.
    """
    prefix.parent.mkdir(parents=True, exist_ok=True)
    target = InferenceModel.at(prefix)
    shutil.copyfile(files.model, target.model)
    shutil.copyfile(files.params, target.params)
    words: list[str | Path] = [prefix, task, str(height), *(("--one-line", one_line) if one_line else ())]
    forks.run("ppedge.convert.bringing", words, f"Running {files.model} in Paddle")
    with np.load(prefix.with_name(f"{prefix.name}.npz")) as cases:
        for name in (name for name in cases.files if name.startswith("y")):
            require_probabilities(files, task, cases[name])


def require_probabilities(files: InferenceModel, task: Task, made: np.ndarray) -> None:
    """Check that a network gives what its output is read as: thresholds and scores mean nothing for other numbers.

    Args:
        files: The model.
        task: Its task.
        made: What it made of noise: a map (N, 1, H, W), or values by class along the last axis.

    Raises:
        PpedgeError: Values lie outside 0 to 1, or those of the classes do not add up to 1.
    """
    sums = made.sum(axis=-1) if task != "det" else np.ones(1)
    if made.min() >= -_TOLERANCE and made.max() <= 1 + _TOLERANCE and np.abs(sums - 1).max() <= _TOLERANCE:
        return
    added = "" if task == "det" else f", which add up to {sums.min():.3g} and more"
    raise PpedgeError(
        f"{files.model}: gives values from {made.min():.3g} to {made.max():.3g}{added}: these are no probabilities.",
        f"Export it with its last activation, {'sigmoid' if task == 'det' else 'softmax'}.",
    )


def _shape(sides: tuple[int, ...]) -> str:
    return f"({', '.join('?' if side < 0 else str(side) for side in sides)})"
