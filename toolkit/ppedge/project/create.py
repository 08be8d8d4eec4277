"""Making a project: a folder with recipes, label files, and what is to be typed next."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ppedge.data.folders import new_folder
from ppedge.data.lookup import SPLITS
from ppedge.data.statistics import counted
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import BUILT_IN, Charset
from ppedge.project.labels import Taken, take_labels
from ppedge.project.recipes import SYNTH, About, Task, Wanted, write_recipe
from ppedge.project.weights import NAMES, Start, choose_classes, read_start
from ppedge.recipe.io import load_recipe
from ppedge.recipe.road import Recipe
from ppedge.storage import atomic_write

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SHOWN = 12  # characters that a sentence lists
_OFFICIAL = {"det": "ch_PP-OCRv3_det_distill_train", "rec": "ch_PP-OCRv3_rec_train or en_PP-OCRv3_rec_train"}


@dataclass
class Project:
    """What was made.

    Attributes:
        folder: As it was named.
        recipes: Their files' names in it, by task.
        told: What was found and done, in sentences.
        missing: What its user still has to see to, in sentences; may be nothing.
        next: Command lines to type in the folder, in order, to a bundle in an app.
    """

    folder: Path
    recipes: dict[Task, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)


def create(
    folder: Path,
    about: About,
    *,
    data: Path | None = None,
    root: Path | None = None,
    weights: Sequence[Path] = (),
    charset: str | None = None,
    seed: int = 0,
    group: str = "",
    skip_bad: bool = False,
) -> Project:
    """Make a project's folder, whole or not at all.

    Args:
        folder: It must not exist, or be empty; its name becomes the runs' names.
        about: What the pictures show.
        data: Labels; see `ppedge.project.labels.take_labels`. None: synthetic pictures.
        root: Likewise.
        weights: A file of weights for each network that is not to start from nothing; each says itself which it is.
        charset: A recogniser's character set, by name or file; by default that of its weights.
        seed: Of the split.
        group: Likewise: a regular expression; see `ppedge.data.split.split`.
        skip_bad: Leave bad labels and pictures out instead of refusing.

    Raises:
        PpedgeError: The folder is there, its name is none for a run, labels are bad, weights do not fit the task, or
            their dictionary is not known.
    """
    if not _NAME.fullmatch(folder.absolute().name):
        raise PpedgeError(
            f"{folder}: a name of letters, digits, '.', '_' and '-' is needed: runs are named by it.", "Choose another."
        )
    starts = _starts(weights)
    made = Project(folder)
    with new_folder(folder) as partial:
        taken = None if data is None else take_labels(data, partial, root, seed=seed, group=group, skip_bad=skip_bad)
        made.told += taken.told if taken else []
        tasks = _tasks(about, taken, starts, made)
        for task in tasks:
            start = starts.get(task)
            classes = choose_classes(start, charset, _needed(about)) if task == "rec" else None
            file = folder.absolute() / f"{task}.yml"
            wanted = Wanted(about, task, f"{file.parent.name}_{task}", file, taken, start, classes)
            with atomic_write(partial / file.name) as out:
                out.write(write_recipe(wanted).encode())
            recipe = load_recipe(partial / file.name)
            made.recipes[task] = file.name
            made.told.append(f"{folder / file.name}: {_network(wanted, recipe)}")
            made.missing += _missing(wanted, recipe)
        made.missing[:0] = [] if taken else [_synthetic(about)]
    made.next = _next(made, about, taken, starts)
    return made


def _starts(weights: Sequence[Path]) -> dict[str, Start]:
    starts: dict[str, Start] = {}
    for path in weights:
        start = read_start(path)
        if start.task in starts:
            raise PpedgeError(
                f"--weights {path}: of a {NAMES[start.task]}, and so is {starts[start.task].path}.", "Name one of them."
            )
        starts[start.task] = start
    return starts


def _tasks(about: About, taken: Taken | None, starts: dict[str, Start], made: Project) -> list[Task]:
    """Return the networks that there are recipes for: those that the labels can teach.

    Raises:
        PpedgeError: Weights are of another network.
    """
    if taken is None:
        tasks: list[Task] = ["rec"] if about == "words" and "det" not in starts else ["det", "rec"]
    elif taken.kind == "recognition":
        tasks = ["rec"]
        made.told.append("no det.yml: the labels are of lines, and no picture says where they are")
    else:
        tasks = ["det", "rec"] if taken.texts else ["det"]
        if not taken.texts:
            made.told.append("no rec.yml: no region has a text")
    for task, start in starts.items():
        if task not in tasks:
            raise PpedgeError(
                f"--weights {start.path}: of a {NAMES[task]}, and here nothing teaches one.",
                f"Leave them out; these are the networks of this project: {', '.join(NAMES[one] for one in tasks)}.",
            )
    return tasks


def _needed(about: About) -> str:
    return BUILT_IN["plates"] if about == "plates" else ""


def _network(wanted: Wanted, recipe: Recipe) -> str:
    """Say what a recipe's network starts from, and what it reads."""
    start = wanted.start
    told = f"a {NAMES[wanted.task]} " + (f"from {start.network} ({start.path})" if start else "from nothing")
    return told if wanted.task == "det" else f"{told}, of the characters of {recipe.data.charset}"


def _missing(wanted: Wanted, recipe: Recipe) -> list[str]:
    """Return what a user has to see to, in sentences."""
    found = []
    if wanted.start is None:
        found.append(
            f"{wanted.file.name}: without weights it trains from nothing, which takes thousands of pictures and "
            f"{recipe.train.epochs} epochs; from official ones, such as those of {_OFFICIAL[wanted.task]}, it takes "
            "few: name the file by --weights"
        )
    elif wanted.task == "rec" and not (wanted.classes and wanted.classes.kept):
        found.append(
            f"{wanted.file.name}: its head starts fresh, as the weights read other characters than "
            f"{recipe.data.charset}, which takes thousands of lines"
        )
    if wanted.task == "rec" and wanted.taken is not None:
        if wanted.upper_cased:
            found.append(
                f"{wanted.file.name}: no label has a small letter, so either case counts as right, and letters and "
                "digits alone are compared; if the pictures have none either, delete its lines metric: and, below "
                "train:, losses:, so that every character counts"
            )
        found += _of_texts(wanted, wanted.taken.texts, recipe)
    return found


def _of_texts(wanted: Wanted, texts: Sequence[str], recipe: Recipe) -> list[str]:
    """Return what there is to say of the texts that a recogniser is to learn."""
    found = []
    charset = Charset.from_name_or_file(recipe.data.charset, as_is=True)
    known = Charset((*charset.characters, " ")) if recipe.data.use_space_char else charset
    unknown = Counter(character for text in texts for character in known.unknown(text))
    if unknown:
        lines = sum(bool(known.unknown(text)) for text in texts)
        listed = counted(dict(unknown.most_common(_SHOWN))) + (", ..." if len(unknown) > _SHOWN else "")
        found.append(
            f"{wanted.file.name}: {lines} of {len(texts)} lines have characters that {recipe.data.charset} lacks, and "
            f"are left out: {listed}; mend the labels, or name another character set by --charset"
        )
    longer = sum(len(text) > recipe.data.max_text_length for text in texts)
    if longer:
        found.append(
            f"{wanted.file.name}: {longer} of {len(texts)} lines are longer than data.max_text_length, "
            f"{recipe.data.max_text_length}, and are left out"
        )
    return found


def _synthetic(about: About) -> str:
    drawn = {"plates": "streets and plates", "receipts": "pages", "words": "lines of text"}[about]
    return f"no --data: synthetic {drawn} are drawn, which shows the road and makes no model for real pictures"


def _next(made: Project, about: About, taken: Taken | None, starts: dict[str, Start]) -> list[str]:
    """Return the command lines that lead from the folder to an app, in order."""
    name = made.folder.absolute().name
    runs = {task: f"runs/{name}_{task}" for task in made.recipes}
    lines = [f"cd {_quoted(made.folder)}"]
    if taken is not None:  # synthetic pictures are not there yet
        lines += [f"ppedge data show {file} --out {task}.html" for task, file in made.recipes.items()]
        lines += [
            f"ppedge eval {file} --weights {_quoted(starts[task].path)}"
            for task, file in made.recipes.items()
            if task in starts
        ]
    lines += [f"ppedge run {file}" for file in made.recipes.values()]
    lines += [f"ppedge report {run}" for run in runs.values()]
    drawn, _ = SYNTH[about, next(iter(runs))]
    example = _quoted(taken.example) if taken else f"data/{drawn}/images/eval_000000.jpg"
    options = " ".join(f"--{task} {run}" for task, run in runs.items())
    lines.append(f"ppedge ocr {example} {options}" + (" --draw drawn" if "det" in runs else ""))
    both = f"{runs.get('det', 'DET_RUN')} {runs.get('rec', 'REC_RUN')}"
    lines += [f"ppedge bundle {both} --out bundle", "ppedge bundle verify bundle"]
    if taken is not None and len(runs) > 1:  # pages, with where their lines are and what they say
        aside = SPLITS["test" if "test" in taken.pictures else "eval"]
        lines += [
            f"ppedge bundle {both} --onnx --out pc_bundle",  # which a PC reads without Paddle Lite's runtime
            f"ppedge eval --e2e pc_bundle {aside} --root {_quoted(taken.root)}",
        ]
    return [*lines, "ppedge bundle --out bundle --into APP"]


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
