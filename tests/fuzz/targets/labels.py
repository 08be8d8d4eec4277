"""Label files: PPOCR's for detection and recognition, and data sets that `ppedge data convert` turns into them."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
from hypothesis import strategies as st

from fuzz.contract import Files, Target, WrongResultError, command
from fuzz.mutations import NAMES, damaged
from fuzz.trees import altered_json, json_text
from ppedge.data.convert import Source
from ppedge.data.lookup import label_lines
from ppedge.errors import PpedgeError

_LABELS = "labels.txt"
_SIZE = (48, 64)


@cache
def _pictures() -> Files:
    """Return pictures of noise: whatever is cut out of them differs from what lies outside."""
    noise = np.random.default_rng(5).integers(60, 256, (*_SIZE, 3), np.uint8)
    return {f"images/a{suffix}": cv2.imencode(suffix, noise)[1].tobytes() for suffix in (".png", ".jpg")}


def _region(text: str, points: list[list[float]], **more: Any) -> dict[str, Any]:
    return {"transcription": text, "points": points, **more}


_REGIONS = [
    _region("车A1", [[4, 5], [40, 5], [40, 20], [4, 20]]),
    _region("###", [[1.5, 30], [20, 30], [20, 40], [1.5, 40]], difficult=True),
    _region("b c", [[30, 25], [45, 24], [60, 26], [60, 40], [45, 42], [30, 40]], difficult=False),
]
_POINTS = st.lists(
    st.lists(st.integers(-80, 140) | st.floats(-10, 80) | st.sampled_from([0, 1e6, 64, 48]), min_size=2, max_size=2),
    min_size=3,
    max_size=7,
)
_TEXTS = st.sampled_from([*NAMES, "a", "###", "*", "\ufeff", "a\u200db"]) | st.text(max_size=6)


def _with_line_ends(lines: list[bytes], end: bytes, first: bytes) -> bytes:
    return first + end.join(lines) + end


def _file(lines: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(
        _with_line_ends,
        st.lists(lines, min_size=1, max_size=3),
        st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n"]),
        st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf", b"\xff\xfe"]),
    )


def _picture_names() -> st.SearchStrategy[bytes]:
    good = ["images/a.png", "images/a.jpg"]
    odd = [*NAMES, ".", "images", "images/a.png ", "images//a.png", "a" * 5000]
    return st.sampled_from([*good * len(odd), *odd]).map(lambda name: name.encode())


def _with_pictures(content: st.SearchStrategy[bytes], name: str = _LABELS) -> st.SearchStrategy[Files]:
    return content.map(lambda data: {name: data, **_pictures()})


def _whole_detection() -> Files:
    return {_LABELS: b"images/a.png\t" + json_text(_REGIONS) + b"\n", **_pictures()}


def _detection() -> st.SearchStrategy[Files]:
    drawn = st.lists(st.builds(_region, _TEXTS, _POINTS), max_size=3)
    regions = st.one_of(
        st.just(_REGIONS).map(json_text), drawn.map(json_text), altered_json(_REGIONS), drawn.flatmap(altered_json)
    )
    lines = st.builds(lambda name, data: name + b"\t" + data, _picture_names(), regions)
    return _with_pictures(st.one_of(_file(lines), _file(lines), damaged([_whole_detection()[_LABELS]])))


def _whole_recognition() -> Files:
    return {_LABELS: "images/a.png\tA1\nimages/a.jpg\tb 车\n".encode(), **_pictures()}


def _recognition() -> st.SearchStrategy[Files]:
    lines = st.builds(lambda name, text: name + b"\t" + text.encode(errors="surrogatepass"), _picture_names(), _TEXTS)
    return _with_pictures(st.one_of(_file(lines), damaged([_whole_recognition()[_LABELS]])))


def _check(kind: str, *more: str) -> None:
    command("data", "check", _LABELS, "--kind", kind, *more)


def _split(folder: Path) -> None:
    """Split what `data check` accepts, whose lines must all be there again."""
    command("data", "split", _LABELS, "--train", "1", "--eval", "0", "--test", "0")
    lines = [dict(label_lines(folder / name, folder)).values() for name in (_LABELS, "train.txt")]
    if sorted(lines[0]) != sorted(lines[1]):
        raise WrongResultError(f"of {len(lines[0])} lines {len(lines[1])} came back")


def _read_detection(folder: Path) -> None:
    """Check labels; what is accepted must give crops in which there is something of the picture."""
    _check("detection", "--charset", "plates")
    _check("detection", "--json")
    _split(folder)
    try:
        command("data", "crops", _LABELS, "--out", "crops")
    except PpedgeError as error:
        if "no region with a text" not in error.message:
            raise WrongResultError(f"`data check` finds nothing wrong, `data crops` says {error}") from error
        return
    for line in (folder / "crops" / "labels.txt").read_text().splitlines():
        image = cv2.imread(str(folder / "crops" / line.partition("\t")[0]))
        if image is None or (image.size >= 48 and image.std() == 0):
            raise WrongResultError(f"nothing is in the crop of {line!r}")


def _read_recognition(folder: Path) -> None:
    _check("recognition", "--charset", "plates")
    _check("recognition", "--json")
    _split(folder)


_QUADS = ["4,5,40,5,40,20,4,20,A1", "1,30,20,30,20,40,1,40,###", '30,25,60,25,60,40,30,40,"b, c"']
_MLT = ["4,5,40,5,40,20,4,20,Latin,A1", "1,30,20,30,20,40,1,40,Chinese,###"]


_FLAT = [4.0, 5.0, 40.0, 5.0, 40.0, 20.0, 4.0, 20.0]
_COCO = {
    "imgs": {"1": {"file_name": "a.jpg"}},
    "anns": {"1": {"id": 1, "image_id": 1, "mask": _FLAT, "utf8_string": "A1", "legibility": "legible"}},
}
_TOTAL = "x: [[4 40 40 4]], y: [[5 5 20 20]], ornt: [u'h'], transcriptions: [u'A1']\n"
_ANNOTATIONS: dict[str, Files] = {
    "totaltext": {"set/poly_gt_a.txt": 2 * _TOTAL.encode()},
    "cocotext": {"set/cocotext.v2.json": json_text(_COCO)},
    "ppocrlabel": {
        "set/Label.txt": b"set/a.jpg\t" + json_text(_REGIONS) + b"\n",
        "set/fileState.txt": b"/x/a.jpg\t1\n",
    },
}


def _annotated(source: str) -> st.SearchStrategy[Files]:
    """Draw a data set of which one file of annotations is damaged, or its JSON is another."""
    whole = _whole_set(source)
    damages = [damaged([data]).map(lambda data, name=name: {**whole, name: data}) for name, data in  # type: ignore[misc]
               _ANNOTATIONS[source].items()]  # fmt: skip
    if source == "cocotext":
        damages.append(altered_json(_COCO).map(lambda data: {**whole, "set/cocotext.v2.json": data}))
    return st.one_of(*damages)


def _whole_set(source: str) -> Files:
    """Return a data set of one picture."""
    picture = _pictures()["images/a.jpg"]
    if source == "ccpd":
        return {f"set/{_CCPD}.jpg": picture}
    if source in _ANNOTATIONS:
        return {"set/a.jpg": picture, **_ANNOTATIONS[source]}
    lines = _MLT if source == "mlt" else _QUADS
    return {"set/gt_a.txt": "\n".join(lines).encode(), "set/a.jpg": picture}


@st.composite
def _icdar(draw: st.DrawFn) -> Files:
    numbers = st.integers(-60, 120).map(str) | st.sampled_from(["nan", "inf", "1e9", "", " 1", "x", "1" * 400, "0x1"])
    quads = st.builds(
        lambda corners, text: f"{','.join(corners)},{text}", st.lists(numbers, min_size=7, max_size=9), _TEXTS
    )
    good = st.lists(st.sampled_from(_QUADS), min_size=1, max_size=4)
    lines = draw(good | st.lists(st.sampled_from([*_QUADS, *_MLT]) | quads, max_size=4))
    content = "\n".join(lines).encode(errors="surrogatepass")
    name = draw(st.sampled_from(["set/gt_a.txt", "set/gt_a.txt", "set/gt_b.txt", "set/sub/gt_a.txt"]))
    pictures = draw(st.sampled_from([["a.png"], ["a.jpg"], ["a.png", "a.jpg"], []]))  # two of one name, and none
    return {
        name: draw(st.just(content) | st.just(content) | damaged([content])),
        **{f"set/{picture}": _pictures()[f"images/{picture}"] for picture in pictures},
    }


_CCPD = "025-95_113-4&5_40&20-40&20_4&20_4&5_40&5-0_0_22_27_27_33_16-37-15"


@st.composite
def _ccpd(draw: st.DrawFn) -> Files:
    fields = _CCPD.split("-")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(fields) - 1))
        odd = [
            "",
            "x",
            "1",
            "0&0_0&0_0&0_0&0",
            "-1_0_0_0_0_0_0",
            "99_99_9_9_9_9_9",
            "1" * 40 + "&1",
            "1&²",
            "٣_0_0_0_0_0_0",
        ]
        fields[at] = draw(st.sampled_from([*fields, *odd]))
    data = draw(st.sampled_from(list(_pictures().values())) | st.just(b""))
    return {f"set/{'-'.join(fields)[:120]}.jpg": data}


def _convert(source: str, folder: Path) -> None:
    """Convert; what is accepted must be labels in which nothing is wrong."""
    command("data", "convert", "set", "--from", source, "--root", ".", "--out", _LABELS)
    try:
        command("data", "check", _LABELS)
    except SystemExit as ended:
        if ended.code and (folder / _LABELS).stat().st_size:
            raise WrongResultError("`data convert` finds nothing wrong, `data check` finds problems") from None


TARGETS = [
    Target("detection", _whole_detection, _detection, _read_detection, told=(_LABELS,)),
    Target("recognition", _whole_recognition, _recognition, _read_recognition, told=(_LABELS,)),
    *(
        Target(
            source,
            partial(_whole_set, source),
            _ccpd if source == "ccpd" else partial(_annotated, source) if source in _ANNOTATIONS else _icdar,
            partial(_convert, source),
            told=("set",),
        )
        for source in get_args(Source)
    ),
]
