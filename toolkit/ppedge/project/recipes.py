"""The text of a project's recipes: blocks of recipes that ppedge comes with, and what is the project's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from ppedge.data.lookup import SPLITS
from ppedge.errors import printable
from ppedge.project.labels import Taken
from ppedge.project.weights import Classes, Start
from ppedge.recipe import shipped
from ppedge.recipe.road import SCHEMA

About = Literal["plates", "receipts", "words"]
Task = Literal["det", "rec"]

SYNTH: dict[tuple[About, Task], tuple[str, str]] = {
    ("plates", "det"): ("streets", "{kind: scenes, content: plates, train: 2000, eval: 100, test: 100}"),
    ("plates", "rec"): ("plates", "{kind: plates, train: 20000, eval: 500, test: 500}"),
    ("receipts", "det"): ("pages", "{kind: scenes, train: 2000, eval: 100, test: 100}"),
    ("receipts", "rec"): ("pages", "{kind: scenes, train: 2000, eval: 100, test: 100}"),
    ("words", "det"): ("pages", "{kind: scenes, train: 2000, eval: 100, test: 100}"),
    ("words", "rec"): ("words", "{kind: words, train: 20000, eval: 500, test: 500}"),
}
"""The folder of synthetic pictures below ``data/``, and how they are made."""

_TUNED: dict[tuple[About, Task], str] = {
    ("plates", "det"): "plates_det",
    ("plates", "rec"): "plates_rec",
    ("receipts", "det"): "receipts_det",
    ("receipts", "rec"): "receipts_rec",
    ("words", "det"): "receipts_det",
    ("words", "rec"): "plates_rec",
}
"""The recipe whose training suits weights that exist: few epochs, small steps, BatchNorm as it is."""
_FRESH: dict[tuple[About, Task], str] = {
    ("plates", "det"): "ppocrv3_det_student",
    ("plates", "rec"): "plates_rec_v1",
    ("receipts", "det"): "ppocrv3_det_student",
    ("receipts", "rec"): "ppocr_v1_rec_en",
    ("words", "det"): "ppocrv3_det_student",
    ("words", "rec"): "ppocr_v1_rec_en",
}
"""The recipe that trains from nothing."""
_WHAT: dict[tuple[About, Task], str] = {
    ("plates", "det"): "finds licence plates in pictures",
    ("plates", "rec"): "reads licence plates",
    ("receipts", "det"): "finds the lines of receipts",
    ("receipts", "rec"): "reads the lines of receipts",
    ("words", "det"): "finds lines of text",
    ("words", "rec"): "reads lines of text",
}
_FRESH_HEAD = {
    "epochs": "  epochs: 20               # the head starts fresh",
    "learning_rate": "  learning_rate: 1.0e-3",
}
_LETTERS = 200  # so many capitals in a row are no chance
_HEIGHT = re.compile(r"height: (\d+)")


@dataclass(frozen=True)
class Wanted:
    """What a recipe is to be.

    Attributes:
        about: What its pictures show.
        task: Finding or reading.
        name: Of the recipe, and of its run's folder.
        file: The recipe's file, absolute.
        taken: Labels; None for synthetic ones.
        start: Weights; None for none.
        classes: Of a recogniser; None for those of the recipe that it is made of.
    """

    about: About
    task: Task
    name: str
    file: Path
    taken: Taken | None
    start: Start | None
    classes: Classes | None

    @property
    def upper_cased(self) -> bool:
        """Whether texts were upper-cased by those who labelled them, as far as can be told: no letter is small.

        From nothing a network learns the case of the labels; one that exists reads what is printed.
        """
        if self.about == "plates" or self.task == "det" or self.taken is None or self.start is None:
            return False
        texts = "".join(self.taken.texts)
        return not any(map(str.islower, texts)) and sum(map(str.isupper, texts)) >= _LETTERS


def write_recipe(wanted: Wanted) -> str:
    """Return a recipe as a file, with comments, that trains as it stands."""
    place = (wanted.about, wanted.task)
    names = [_FRESH[place]] if wanted.start is None else [_TUNED[place], wanted.start.recipe]
    training, network = (_blocks(name) for name in (names[0], names[-1]))
    blocks = {**training, "data": _data(wanted), "model": _model(wanted.start, network["model"])}
    own = _blocks(_TUNED[place])
    if wanted.task == "det":
        blocks["det_preprocess"] = own["det_preprocess"]  # the size is that of the pictures
    else:
        _read_lines(wanted, blocks, network)
    if wanted.start is not None:
        _fine_tune(wanted, wanted.start, blocks)
    order = dict.fromkeys(["data", "model", *(key for key in blocks if key not in ("train", "slim", "validate"))])
    keys = [*order, "train", "slim", "validate"]
    head = f"schema: {SCHEMA}\nname: {wanted.name}\ntask: {wanted.task}\n"
    return _about(wanted, names) + head + "".join(blocks[key] for key in keys if key in blocks)


def _about(wanted: Wanted, names: list[str]) -> str:
    weights = "from no weights" if wanted.start is None else f"from {wanted.start.network}'s weights"
    lines = [
        f"{wanted.name} {_WHAT[wanted.about, wanted.task]}, {weights}.",
        f"  ppedge run {wanted.file.name}",
        f"Made by `ppedge init` of {' and '.join(names)}, as `ppedge recipe list` names them. All keys and values:",
        f"  ppedge recipe show {wanted.file.name}",
    ]
    return "".join(f"# {printable(line)}\n" for line in lines)


@cache
def _blocks(name: str) -> Mapping[str, str]:
    """Return the sections of a recipe that ppedge comes with, comments and all, but for what is every recipe's own."""
    text = shipped.find(name).path.read_text(encoding="utf-8")
    found = re.findall(r"^(\w+):(.*\n(?:[ #].*\n|\n)*)", text, flags=re.MULTILINE)
    return {key: f"{key}:{rest}" for key, rest in found if key not in ("schema", "name", "task")}


def _data(wanted: Wanted) -> str:
    taken, folder = wanted.taken, wanted.file.parent
    if taken is not None:
        lines = [f"root: {_scalar(taken.root)}   # what pictures are named relative to"]
        uses = {"train": "", "eval": ": they choose the best weights, and what slimming leaves",
                "test": ": they choose nothing, and all figures are theirs"}  # fmt: skip
        for part, count in taken.pictures.items():
            lines.append(f"{part}: [{_scalar(folder / SPLITS[part])}]   # {count} pictures{uses[part]}")
        detection = taken.kind == "detection"
    else:
        place, synth = SYNTH[wanted.about, wanted.task]
        lines = [f"root: {_scalar(folder / 'data' / place)}", "train: [train.txt]", "eval: [val.txt]",
                 "test: [test.txt]         # chooses nothing; all figures are of it",
                 "# Drawn when they are missing; for pictures of your own drop this.", f"synth: {synth}"]  # fmt: skip
        detection = "kind: scenes" in synth
    if wanted.task == "rec":
        lines += ["labels: detection   # the lines are cut out of the pictures on the fly"] if detection else []
        lines += _classes(wanted)
    return "data:\n" + "".join(f"  {line}\n" for line in lines)


def _classes(wanted: Wanted) -> list[str]:
    classes = wanted.classes
    if classes is None:  # the network's recipe or, for plates, theirs
        found = yaml.safe_load(_blocks(_FRESH[wanted.about, "rec"])["data"])["data"]["charset"]
        classes = Classes(found, False, False)
    fresh = "" if wanted.start is None else "   # not the weights' own: the head starts fresh"
    lines = [f"charset: {_scalar(classes.charset)}" + ("   # the weights' own" if classes.kept else fresh)]
    if classes.use_space_char:
        lines.append("use_space_char: true   # the weights have a space after the dictionary")
    return [*lines, "max_text_length: 8"] if wanted.about == "plates" else lines


def _model(start: Start | None, block: str) -> str:
    if start is None or not start.folded:
        return block
    bare = re.sub(r"^ *#.*\n", "", block, flags=re.MULTILINE)  # what is said of branches
    return re.sub(r"((?:backbone: \{|neck: \{name: RepLKFPN)[^}]*)\}", r"\1, folded: true}", bare)


def _read_lines(wanted: Wanted, blocks: dict[str, str], network: Mapping[str, str]) -> None:
    """Set what a recogniser's lines are like, which is the network's and the pictures', and how texts are compared."""
    for key in ("metric", "metric_ignore", "rec_preprocess"):
        blocks.pop(key, None)
    if wanted.start is None:
        blocks["rec_preprocess"] = network["rec_preprocess"]
        return
    height = _HEIGHT.findall(network["rec_preprocess"])[0]
    widest = ", max_width: 320" if wanted.about == "plates" else ""
    blocks["rec_preprocess"] = f"rec_preprocess: {{height: {height}, min_width: 320{widest}}}\n"
    if wanted.upper_cased:
        blocks["metric"] = "metric: upper_alnum   # no label has a small letter\n"
    if wanted.about == "plates":
        blocks["metric_ignore"] = 'metric_ignore: "·"   # official weights read 京P·L3N67, and labels lack the dot\n'


def _fine_tune(wanted: Wanted, start: Start, blocks: dict[str, str]) -> None:
    """Name the weights; take out what was tuned for the pictures or the network of the recipe that it is made of."""
    lines = [line for line in blocks["train"].splitlines()[1:] if not line.startswith("  losses:")]
    if wanted.upper_cased:
        lines.append("  losses: [{name: CTC, ignore_case: true}]   # read as printed, either case counts as right")
    if (wanted.about, wanted.task) == ("words", "det"):
        augment = "det_augment: {flip: 0.0, rotate: 5.0, scale: [0.5, 2.0], crop: 640}   # text is never mirrored"
        lines = [f"  {augment}" if line.startswith("  det_augment:") else line for line in lines]
    if wanted.task == "rec" and not (wanted.classes and wanted.classes.kept):
        lines = [_FRESH_HEAD.get(line.split(":")[0].strip(), line) for line in lines]
    blocks["train"] = "".join(f"{line}\n" for line in ["train:", f"  weights: {_scalar(start.path)}", *lines])
    if (wanted.about, wanted.task) == ("receipts", "rec") and start.recipe != "ppocr_v1_rec_en":
        blocks["slim"] = _blocks(_TUNED["words", "rec"])["slim"]  # receipts_rec's names layers of that network


def _scalar(value: str | Path) -> str:
    """Write a text as YAML, on one line, so that it stands within brackets too."""
    written = yaml.safe_dump([str(value)], default_flow_style=True, allow_unicode=True, width=1 << 20)
    return written.strip()[1:-1]
