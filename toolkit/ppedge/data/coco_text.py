"""COCO-Text (Veit et al., 2016): one JSON file for all pictures, as ``cocotext.v2.json`` and older releases have it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ppedge.data.annotation import Annotation, Row, pictures_below
from ppedge.data.formats import IGNORED_TEXTS
from ppedge.data.labelled import Problem
from ppedge.data.regions import RegionError, polygon_of
from ppedge.errors import PpedgeError

_OUTLINES = ("mask", "polygon")
"""Keys of a region's outline, x and y in turn: in the newest release, and in those before."""


def read_coco_text(folder: Path) -> Iterator[Annotation | Problem]:
    """Read the regions of the pictures that lie below a folder, which are seldom all of COCO's.

    What is illegible, or has no text, is an ignored region. A picture of which the file knows no region is not
    annotated; pictures of it that are not there are one problem, told with their number.

    Args:
        folder: That the JSON file lies in, and the pictures in it or below.

    Raises:
        PpedgeError: There is not one JSON file in it, or it is none of COCO-Text.
    """
    file = _only_json(folder)
    pictures = {path.name: path for path in pictures_below(folder)}
    names, regions = _tables(file)
    missing = [name for image, name in names.items() if image in regions and name not in pictures]
    if missing:
        yield Problem(file, 1, f"{len(missing)} of its pictures are not below {folder}, first {missing[0]}")
    for image, name in sorted(names.items(), key=lambda item: item[1]):
        if name in pictures and image in regions:
            yield Annotation(pictures[name], file, [_row(region) for region in regions[image]])


def _only_json(folder: Path) -> Path:
    found = sorted(folder.glob("*.json"))
    if len(found) != 1:
        raise PpedgeError(
            f"{folder}: {len(found)} JSON files in it.", "Put the one of COCO-Text there, cocotext.v2.json, alone."
        )
    return found[0]


def _tables(file: Path) -> tuple[dict[str, str], dict[str, list[Mapping[str, Any]]]]:
    """Return the pictures' names by their numbers, and their regions."""
    regions: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        names = {str(image): str(entry["file_name"]) for image, entry in told["imgs"].items()}
        for region in told["anns"].values():
            regions[str(region["image_id"])].append(region)
    except OSError as error:
        raise PpedgeError(f"{file}: cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PpedgeError(
            f"{file}: not COCO-Text's: it has no imgs with file_name and anns with image_id.",
            "Is this what --from cocotext reads?",
        ) from error
    return names, regions


def _row(region: Mapping[str, Any]) -> Row:
    outline = next((region[key] for key in _OUTLINES if key in region), None)
    try:
        if not isinstance(outline, list) or len(outline) % 2:
            raise RegionError(f"region {region.get('id')}: it has no outline of pairs of numbers")
        polygon = polygon_of([list(point) for point in zip(outline[::2], outline[1::2], strict=True)])
    except RegionError as error:
        return Row(1, None, "", str(error))
    text = region.get("utf8_string")
    readable = isinstance(text, str) and text.strip() and region.get("legibility", "legible") == "legible"
    return Row(1, polygon, str(text) if readable else IGNORED_TEXTS[0])
