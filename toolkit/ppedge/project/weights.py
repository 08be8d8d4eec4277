"""The weights that a project starts from: which network they are of, and which character set they read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ppedge.errors import PpedgeError
from ppedge.models.weight_parts import pick
from ppedge.models.weight_summary import summary
from ppedge.models.weights import read_pdparams
from ppedge.ocr.charset import Charset

NAMES = {"det": "detector", "rec": "recogniser", "cls": "direction classifier"}


@dataclass(frozen=True)
class Start:
    """A file of weights.

    Attributes:
        path: Of the file, absolute.
        task: Of its network.
        network: What PaddleOCR calls that, or the name of the official weights.
        recipe: The recipe of its network that comes with ppedge.
        folded: Whether its layers are re-parameterised.
        classes: Of a recogniser, CTC's blank included; None for others.
        dictionary: Of official weights the recipe's ``charset`` and ``use_space_char``; None if nobody knows.
    """

    path: Path
    task: str
    network: str
    recipe: str
    folded: bool
    classes: int | None
    dictionary: tuple[str, bool] | None


@dataclass(frozen=True)
class Classes:
    """The classes of a recogniser in a recipe.

    Attributes:
        charset: As the recipe has it.
        use_space_char: Likewise.
        kept: Whether the weights' head is kept; else it starts fresh.
    """

    charset: str
    use_space_char: bool
    kept: bool


def read_start(path: Path) -> Start:
    """Tell which published network a file of weights is of.

    Raises:
        PpedgeError: The file cannot be read, or is of no published network that is known.
    """
    if path.is_dir():
        raise PpedgeError(
            f"{path}: a folder, not a .pdparams file.",
            f"`ppedge weights from-inference {path} --out FILE.pdparams` makes one of an inference model.",
        )
    state, _ = pick(read_pdparams(path), path)
    (about,) = summary(state)["networks"]
    fits, official = about["fits"], about["official"]
    if fits is None:
        raise PpedgeError(
            f"{path}: weights of no whole network that PaddleOCR has published and ppedge knows.",
            f"`ppedge weights show {path}` says what it holds; without --weights, set train.weights or "
            "train.backbone_weights in the recipe.",
        )
    settings = official["settings"] if official else {}
    dictionary = (settings["data.charset"], settings["data.use_space_char"]) if "data.charset" in settings else None
    return Start(
        path.absolute(),
        fits["task"],
        official["name"] if official else fits["network"],
        fits["recipe"],
        bool(fits["model"]["backbone"].get("folded")),
        about["classes"] if fits["task"] == "rec" else None,
        dictionary,
    )


def choose_classes(start: Start | None, asked: str | None, needed: str) -> Classes | None:
    """Choose a recogniser's character set: the one asked for, or the weights' own.

    Args:
        start: What it starts from; None: nothing.
        asked: A built-in character set or a file, if one was named.
        needed: Characters that it has to read whatever the labels say; the weights' own set is not taken without them.

    Returns:
        The classes; None where there is neither one asked for nor one that does.

    Raises:
        PpedgeError: There is no such character set, or the weights are of a dictionary that nobody knows.
    """
    if asked is not None:
        return _asked(start, asked)
    if start is None:
        return None
    if start.dictionary is None:
        raise PpedgeError(
            f"{start.path}: a recogniser of {start.classes} classes, and nothing says of which characters.",
            "Name the dictionary that it was trained with by --charset, or another one, for which a new head is made.",
        )
    charset, space = start.dictionary
    if set(needed) <= set(Charset.from_name_or_file(charset).characters):
        return Classes(charset, space, True)
    return None


def _asked(start: Start | None, asked: str) -> Classes:
    charset = str(Path(asked).absolute()) if Path(asked).is_file() else asked
    own = Charset.from_name_or_file(asked, as_is=True)
    dictionary = start.dictionary if start else None
    if dictionary is not None and own.characters == Charset.from_name_or_file(dictionary[0]).characters:
        return Classes(charset, dictionary[1], True)
    if start is not None and dictionary is None and start.classes in (own.size, own.size + 1):
        return Classes(charset, start.classes == own.size + 1, True)
    if start is not None and dictionary is not None and start.classes == own.size:
        raise PpedgeError(
            f"--charset {asked}: has as many classes as {start.path}, which was trained with {dictionary[0]}.",
            "Leave --charset out, or name one of another size: then a new head is made.",
        )
    Charset.from_name_or_file(asked)  # of a new head each line is one character, once
    return Classes(charset, False, False)
