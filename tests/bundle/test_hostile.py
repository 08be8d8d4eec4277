"""Bundles that somebody made to be read: sealed as ppedge seals them, and something else in them."""

import gzip
import json
import tracemalloc

import pytest

from ppedge.bundle import reading
from ppedge.bundle.manifest import file_entry, sealed
from ppedge.bundle.verify import verify_bundle
from ppedge.errors import shown


def reseal(folder, change):
    """Change the manifest and seal it again."""
    value = json.loads((folder / "manifest.json").read_text())
    del value["sha256"]
    change(value)
    (folder / "manifest.json").write_bytes(sealed(value))


def put(*keys, to):
    def change(value):
        for key in keys[:-1]:
            value = value[key]
        value[keys[-1]] = to

    return change


@pytest.fixture
def read(ppedge_here, bundle, picture, monkeypatch):
    """Read a picture by the bundle; no engine is ever opened."""
    monkeypatch.setattr(reading, "open_engine", lambda *_: pytest.fail("a file was opened"))

    def run():
        code, out, err = ppedge_here("ocr", bundle, picture)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        return err

    return run


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1e999"])
def test_numbers_that_are_not_finite(read, bundle, number):
    path = bundle / "manifest.json"
    path.write_text(path.read_text().replace('"upright_ratio": ', f'"upright_ratio": {number}, "x": '))
    assert f"manifest.json: not JSON (the number '{number}' is not finite)" in read()


@pytest.mark.parametrize("way", ["above", "absolute", "link", "link of a folder"])
def test_a_file_outside_is_not_opened(read, bundle, tmp_path, way):
    outside = tmp_path / "outside.onnx"
    (bundle / "det.onnx").rename(outside)
    name = {
        "above": "../outside.onnx",
        "absolute": str(outside),
        "link": "det.onnx",
        "link of a folder": "d/outside.onnx",
    }[way]
    if way == "link":
        (bundle / "det.onnx").symlink_to(outside)
    if way == "link of a folder":
        (bundle / "d").symlink_to(tmp_path)
    reseal(bundle, put("models", "det", "onnx", "file", to=name))
    told = f"manifest.json: names {shown(name)}, which is not a file of the bundle"
    assert told in read()
    assert any(told in problem for problem in verify_bundle(bundle))


def test_a_character_set_outside_is_not_read(read, bundle, tmp_path):
    (bundle / "charset.txt").rename(tmp_path / "charset.txt")
    reseal(bundle, put("charset", "file", to="../charset.txt"))
    assert "names '../charset.txt', which is not a file of the bundle" in read()


@pytest.mark.parametrize(
    ("keys", "to"),
    [
        (("models",), []),
        (("models",), {}),
        (("models", "det"), None),
        (("models", "xyz"), {}),
        (("models", "det", "onnx"), "det.onnx"),
        (("models", "det", "onnx", "file"), 3),
        (("models", "det", "onnx", "sha256"), None),
        (("models", "det", "preprocess"), 3),
        (("models", "det", "preprocess", "limit_side"), "wide"),
        (("models", "det", "preprocess", "mean"), [1]),
        (("models", "det", "postprocess"), None),
        (("models", "det", "postprocess"), {}),
        (("models", "rec", "preprocess", "colour"), "red"),
        (("charset",), []),
        (("pipeline",), 7),
        (("schema",), "\x1b[31m" * 100),
    ],
)
def test_a_manifest_of_other_types(read, bundle, keys, to):
    reseal(bundle, put(*keys, to=to))
    told = read()
    assert "manifest.json: " in told and "Build the bundle again" in told
    assert "\x1b" not in told and len(told) < len(str(bundle)) + 400


def test_a_tensor_that_unpacks_without_end(sample):
    path = sample / "golden/01/det_output.f32.gz"
    path.write_bytes(gzip.compress(bytes(256 << 20), 1))

    def renew(value):
        for case in value["golden"]:
            for entry in case["files"]:
                entry.update(file_entry(sample, entry["file"]))

    reseal(sample, renew)
    tracemalloc.start()
    problems = verify_bundle(sample)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    assert any("det_output.f32.gz: more than" in problem for problem in problems)


def test_constants_of_any_length_are_shown_short(bundle, read):
    reseal(bundle, put("pipeline", "upright_ratio", to="9" * 5000))
    told = read()
    assert "built with the constants {" in told and len(told) < len(str(bundle)) + 400
