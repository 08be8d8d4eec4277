"""The recipes that ppedge comes with: in the wheel beside the package's modules, in a checkout in ``recipes/``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from ppedge.errors import PpedgeError, meant
from ppedge.storage import atomic_write

_PACKAGE = Path(__file__).resolve().parents[1]
FOLDERS = (_PACKAGE / "recipes", _PACKAGE.parents[1] / "recipes")
SUFFIX = ".yml"
_MEMBERS = "recipes"  # the key of a suite


@dataclass(frozen=True)
class Shipped:
    """A recipe that ppedge comes with.

    Attributes:
        name: Of its file, without the suffix.
        path: Of its file.
        about: The sentence that it begins with.
        task: ``det``, ``rec`` or ``cls``; empty for a suite.
        members: File names of a suite's recipes.
    """

    name: str
    path: Path
    about: str
    task: str
    members: tuple[str, ...] = ()


def shipped() -> list[Shipped]:
    """Return all of them, by name.

    Raises:
        PpedgeError: They are not there: the installation is damaged.
    """
    folder = next((folder for folder in FOLDERS if folder.is_dir()), None)
    if folder is None:
        raise PpedgeError(f"{FOLDERS[0]}: no recipes there.", "Install ppedge again.")
    return [_read(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]


def find(name: str) -> Shipped:
    """Return the recipe of a name, with the suffix or without.

    Raises:
        PpedgeError: There is none; the sentence names the nearest.
    """
    known = {one.name: one for one in shipped()}
    wanted = name.removesuffix(SUFFIX)
    if wanted in known:
        return known[wanted]
    hint = f"{meant(wanted, known)} `ppedge recipe list` names them."
    raise PpedgeError(f"{name}: no recipe of this name comes with ppedge.", hint.strip())


def copy(one: Shipped, out: Path, *, force: bool = False) -> list[Path]:
    """Write a recipe, as it stands; of a suite also its members, into the same folder.

    Args:
        one: The recipe.
        out: The file to write.
        force: Replace files that are there.

    Returns:
        The files that were written.

    Raises:
        PpedgeError: A file is there already; nothing is written then.
    """
    pairs = [(one.path, out), *((one.path.with_name(name), out.with_name(name)) for name in one.members)]
    for _, target in pairs:
        if target.exists() and not force:
            raise PpedgeError(f"{target}: is there already.", "Name another file with --out, or use --force.")
    for source, target in pairs:
        with atomic_write(target) as file:
            file.write(source.read_bytes())
    return [target for _, target in pairs]


def _read(path: Path) -> Shipped:
    text = path.read_text(encoding="utf-8")
    told: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#") or line.startswith("#   "):  # a command
            break
        told.append(line[1:].strip())
    value = yaml.safe_load(text)
    about = re.split(r"(?<=[.?]) ", " ".join(told), maxsplit=1)[0]
    return Shipped(path.stem, path, about, value.get("task", ""), tuple(value.get(_MEMBERS, ())))
