"""Bundles: manifest, golden cases, models and character set, with a seal that was broken, or made anew."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from unittest import mock

from hypothesis import strategies as st

from fuzz.contract import Files, Target, command
from fuzz.files import read_files
from fuzz.mutations import damaged
from fuzz.trees import altered_json
from ppedge.bundle import build
from ppedge.bundle.manifest import sealed
from ppedge.bundle.verify import listed
from tiny_runs import draw as draw_picture
from tiny_runs import make_run

_MANIFEST = "bundle/manifest.json"


def _original() -> Files:
    """Return a bundle of a detector and a recogniser with their twins, and the picture of its golden case."""
    return _made(False)


@cache
def _made(several: bool) -> Files:
    """Return the same, or with another recogniser besides."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        runs = [make_run(root / task, task, precisions=("fp32",)) for task in ("det", "rec")]
        other = make_run(root / "other", "rec", precisions=("fp32",), other=True)
        picture = draw_picture(root / "one.png")
        with mock.patch.object(build, "golden_engine", return_value={"name": "onnxruntime", "version": "1"}):
            also = [("en", other)] if several else []
            build.build_bundle(runs, root / "bundle", also=also, pictures=[picture], onnx=True)
        for run in (*runs, other):
            shutil.rmtree(run)
        return read_files(root)


def _resealed(files: Files) -> Files:
    """Let the manifest name the bytes that the files have, and itself, as far as it is a bundle's manifest."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        value = json.loads(files[_MANIFEST])
        for entry in listed(value):
            data = files.get(f"bundle/{entry['file']}")
            if data is not None:
                entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        value.pop("sha256", None)
        return {**files, _MANIFEST: sealed(value)}
    return files


def _altered(name: str, files: Mapping[str, bytes]) -> st.SearchStrategy[bytes]:
    data = files[name]
    if name.endswith(".json"):
        return st.one_of(altered_json(json.loads(data)), altered_json(json.loads(data)), damaged([data]))
    if name.endswith(".gz"):  # within the archive as often as the archive itself
        inner = damaged([gzip.decompress(data)]).map(lambda inner: gzip.compress(inner, 1))
        bomb = st.just(gzip.compress(bytes(1 << 24), 1))
        return st.one_of(damaged([data]), inner, bomb)
    return damaged([data])


def _inputs() -> st.SearchStrategy[Files]:
    return st.one_of(_changed(_made(False)), _changed(_made(True)))


def _changed(files: Files) -> st.SearchStrategy[Files]:
    json_files = [name for name in files if name.endswith(".json")]
    names = st.sampled_from([*files, *json_files * 6])

    def alter(name: str) -> st.SearchStrategy[Files]:
        return _altered(name, files).map(lambda data: {**files, name: data})

    one = names.flatmap(alter)
    return st.one_of(one, one.map(_resealed), one.map(_resealed))


def _verify(_: Path) -> None:
    command("bundle", "verify", "bundle")


def _ocr(_: Path) -> None:
    command("ocr", "bundle", "one.png", "--json", "--engine", "onnxruntime")


TARGETS = [
    Target("verify", _original, _inputs, _verify, told=("bundle",)),
    Target("ocr", _original, _inputs, _ocr, told=("bundle", "one.png")),
]
