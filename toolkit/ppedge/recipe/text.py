"""YAML from a file that anybody may have written: bounded in size, depth and time, and a line for every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ppedge.errors import SHOWN, PpedgeError, cut, shown

MAX_BYTES = 1 << 18
"""Of a text; the longest recipes have some 10 kB."""
MAX_DEPTH = 64
MAX_VALUES = 100_000
"""Of a text whose aliases are written out: a few lines of them may stand for more than any memory holds."""
_MAX_NUMBER = 100  # characters; turning digits into a number takes quadratic time
_MAX_REASON = 3 * SHOWN  # an error of PyYAML's repeats names of the text in full
_NUMBERS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))


class MistakeError(ValueError):
    """The text is not YAML, or none that is read here.

    Attributes:
        line: Where, from 1; None where nothing is known.
        reason: What is wrong, without a full stop.
    """

    def __init__(self, reason: str, line: int | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class _Loader(yaml.SafeLoader):
    """PyYAML's own, bounded in depth; what its constructors raise of a value becomes an error with a place."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"more than {MAX_DEPTH} levels", self.get_mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if node.tag in _NUMBERS and len(node.value) > _MAX_NUMBER:
            raise yaml.constructor.ConstructorError(
                None, None, f"a number of {len(node.value)} characters", node.start_mark
            )
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
            what = shown(node.value) if isinstance(node.value, str) else "the value"
            raise yaml.constructor.ConstructorError(None, None, f"{what} is no {cut(kind)}", node.start_mark) from error


def read_file(path: Path, what: str, hint: str) -> tuple[Any, yaml.Node | None]:
    """Return the value of a YAML file, and the node that it was made of; None of an empty file.

    Args:
        path: The file.
        what: It should be, in a word or two, for errors.
        hint: What to do if there is no such file.

    Raises:
        PpedgeError: It is missing, a folder, no UTF-8 text, not YAML, or larger than is read here.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode()
    except FileNotFoundError as error:
        raise PpedgeError(f"{path}: no such {what}.", hint) from error
    except IsADirectoryError as error:
        raise PpedgeError(f"{path}: a folder, not a {what}.", "Name a .yml file.") from error
    except UnicodeDecodeError as error:
        raise PpedgeError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).", "Save it as UTF-8."
        ) from error
    try:
        return parse(text)
    except MistakeError as error:
        line = f":{error.line}" if error.line else ""
        raise PpedgeError(f"{path}{line}: not YAML: {error.reason}.", "Mend that line.") from error


def parse(text: str) -> tuple[Any, yaml.Node | None]:
    """Return the value of a YAML text, and the node that it was made of; None of an empty text.

    Raises:
        MistakeError: It is not YAML, or larger than is read here.
    """
    if len(text) > MAX_BYTES:
        raise MistakeError(f"longer than {MAX_BYTES} characters", None)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, None
        size, depth = _written_out(node, {})
        if size > MAX_VALUES or depth > MAX_DEPTH:
            told = f"its aliases, written out, are more than {MAX_VALUES} values or {MAX_DEPTH} levels"
            raise MistakeError(told, node.start_mark.line + 1)
        return loader.construct_document(node), node
    except yaml.reader.ReaderError as error:
        raise MistakeError(str(error.reason), text.count("\n", 0, error.position) + 1) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise MistakeError(
            cut(str(getattr(error, "problem", None) or error), _MAX_REASON), mark and mark.line + 1
        ) from error


def _written_out(node: yaml.Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return how many values a node holds, and in how many levels, if each alias is written out.

    An alias within what it stands for counts as one value.
    """
    if id(node) not in known:
        known[id(node)] = 1, 1
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        inner = [one for child in children for one in (child if isinstance(child, tuple) else (child,))]
        sizes = [_written_out(child, known) for child in inner]
        known[id(node)] = 1 + sum(size for size, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)
    return known[id(node)]
