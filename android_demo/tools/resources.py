"""The app's resources as a lint reads them: files, colours, sizes, styles, with what they refer to in their place.

Only what this app has is understood; whatever else stands in a place that matters is a `ResourceError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

ANDROID = "{http://schemas.android.com/apk/res/android}"
DAY, NIGHT = "", "night"
Colour = tuple[int, int, int, int]
"""Red, green, blue and alpha, each 0 to 255."""

_MAX_DEPTH = 16  # of references to references


class ResourceError(Exception):
    """A resource is missing, or is of a kind that the lint does not know."""


@dataclass(frozen=True)
class File:
    """One file of resources.

    Attributes:
        path: Relative to the folder of resources: ``layout-land/main.xml``.
        kind: ``layout``.
        qualifier: ``land``; empty for none.
        name: ``main``.
        root: Its outermost element.
    """

    path: str
    kind: str
    qualifier: str
    name: str
    root: Element


class Resources:
    """All files of a folder of resources, and the values in them."""

    def __init__(self, folder: Path) -> None:
        """Read them.

        Raises:
            ResourceError: One of them is not XML.
        """
        self.files = [_read(path, folder) for path in sorted(folder.glob("*/*.xml"))]
        self.values: dict[tuple[str, str], dict[str, Element]] = {}
        """By kind and name, by qualifier: the element in a file of values."""
        for file in self.files:
            for element in file.root if file.kind == "values" else ():
                key = (element.tag, element.get("name", ""))
                self.values.setdefault(key, {})[file.qualifier] = element

    def of_kind(self, kind: str, name: str | None = None) -> list[File]:
        """Return the files of a kind, of all qualifiers."""
        return [file for file in self.files if file.kind == kind and name in (None, file.name)]

    def value(self, kind: str, name: str, mode: str) -> str:
        """Return the text of a value, in the dark (`NIGHT`) or not (`DAY`)."""
        found = self.values.get((kind, name), {})
        element = found.get(mode, found.get(DAY))
        if element is None:
            raise ResourceError(f"there is no {kind} {name}")
        return (element.text or "").strip()

    def colour(self, text: str, mode: str) -> Colour:
        """Return the colour that a reference or a literal means; of a list by state the one of no state."""
        for _ in range(_MAX_DEPTH):
            if re.fullmatch(r"#([0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})", text):
                digits = text[1:].rjust(8, "F")
                alpha, red, green, blue = bytes.fromhex(digits)
                return red, green, blue, alpha
            kind, _, name = text.removeprefix("@").partition("/")
            if kind != "color":
                break
            lists = self.of_kind("color", name)
            text = _stateless(lists[0]) if lists else self.value("color", name, mode)
        raise ResourceError(f"{text} is no colour of this app")

    def size(self, text: str) -> float:
        """Return a size in dp; of ``match_parent``, ``wrap_content`` and sizes by weight 0."""
        for _ in range(_MAX_DEPTH):
            if match := re.fullmatch(r"([\d.]+)(dp|sp)", text):
                return float(match[1])
            if not text.startswith("@dimen/"):
                break
            text = self.value("dimen", text.removeprefix("@dimen/"), DAY)
        return 0.0

    def style(self, name: str, mode: str = DAY) -> dict[str, str]:
        """Return the items of a style of the app's and of the app's styles that it extends, without ``android:``."""
        items: dict[str, str] = {}
        for _ in range(_MAX_DEPTH):
            found = self.values.get(("style", name), {})
            element = found.get(mode, found.get(DAY))
            if element is None:
                return items
            for item in element:
                items.setdefault(item.get("name", "").removeprefix("android:"), (item.text or "").strip())
            parent = element.get("parent")
            name = name.rpartition(".")[0] if parent is None else parent.removeprefix("@style/")
        raise ResourceError(f"the style {name} extends itself")

    def attributes(self, element: Element, mode: str = DAY) -> dict[str, str]:
        """Return an element's attributes with those of its style and its text appearance, without ``android:``."""
        own = {key.removeprefix(ANDROID): value for key, value in element.attrib.items()}
        own = self.style(own.get("style", "").removeprefix("@style/"), mode) | own
        return self.style(own.get("textAppearance", "").removeprefix("@style/"), mode) | own

    def whole(self, root: Element) -> Iterator[tuple[Element, list[Element]]]:
        """Yield a layout's elements with those around each, the outermost first; what is included stands in place."""
        pending: list[tuple[Element, list[Element]]] = [(root, [])]
        while pending:
            element, around = pending.pop(0)
            if element.tag == "include":
                name = element.get("layout", "").removeprefix("@layout/")
                included = self.of_kind("layout", name)
                if not included:
                    raise ResourceError(f"there is no layout {name}")
                element = included[0].root
            yield element, around
            pending += [(child, [*around, element]) for child in element]


def _read(path: Path, folder: Path) -> File:
    kind, _, qualifier = path.parent.name.partition("-")
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ResourceError(f"{path.relative_to(folder)}: {error}") from error
    return File(path.relative_to(folder).as_posix(), kind, qualifier, path.stem, root)


def _stateless(file: File) -> str:
    """Return the colour of a list that stands for no state."""
    for item in file.root:
        if not any(key.startswith(f"{ANDROID}state_") for key in item.attrib):
            return item.get(f"{ANDROID}color", "")
    raise ResourceError(f"{file.path}: has no colour without a state")


def over(front: Colour, back: Colour) -> Colour:
    """Return what is seen of a colour on an opaque one."""
    alpha = front[3]
    red, green, blue = ((f * alpha + b * (255 - alpha)) // 255 for f, b in zip(front[:3], back[:3], strict=True))
    return red, green, blue, 255


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two opaque colours, 1 to 21 (WCAG 2.1, "contrast ratio")."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    """Return the relative luminance, 0 to 1 (WCAG 2.1, "relative luminance")."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour[:3])]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
