import gzip
import json
import re

import pytest

from ppedge.bundle.manifest import file_entry, read_charset, sealed, write_charset
from ppedge.bundle.verify import listed, verify_bundle
from ppedge.cli.main import main
from ppedge.errors import PpedgeError


def ppedge(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code or 0


def rewrite(folder, change):
    """Change the manifest and seal it again, with the files' sizes and sums as they are now."""
    value = json.loads((folder / "manifest.json").read_text())
    del value["sha256"]
    for entry in listed(value):
        if (folder / entry["file"]).is_file():
            entry.update(file_entry(folder, entry["file"]))
    change(value)
    (folder / "manifest.json").write_bytes(sealed(value))


def test_a_whole_bundle_passes(sample, capsys):
    assert verify_bundle(sample) == []
    assert ppedge("bundle", "verify", sample, "--json") == 0
    assert json.loads(capsys.readouterr().out)["passed"]


def test_the_character_set_comes_back_whatever_its_entries_hold(tmp_path):
    characters = ("a", "", "ฤๅ", "a", "p\t", "\u2028", "c\rd", " ", "")
    write_charset(tmp_path, characters)
    assert read_charset(tmp_path / "charset.txt").characters == characters


@pytest.mark.parametrize(
    "name",
    ["det.nb", "rec.nb", "cls.nb", "charset.txt", "golden/02/picture.png", "golden/02/golden.json",
     "golden/01/rec_00_output.f32.gz", "golden/03/crop_05.png"],
)  # fmt: skip
@pytest.mark.parametrize("where", [0, -1])
def test_a_changed_byte_is_named(sample, name, where):
    path = sample / name
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)
    problems = verify_bundle(sample)
    assert any(problem.startswith(f"{path}: sha256 ") and "expected is" in problem for problem in problems)
    assert all(str(path) in problem for problem in problems)


def test_every_byte_of_the_manifest_counts(sample):
    path = sample / "manifest.json"
    data = path.read_bytes()
    for at in range(0, len(data), 997):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert any("manifest.json" in problem for problem in verify_bundle(sample)), data[at - 20 : at + 20]
    path.write_bytes(data + b"\n")
    assert any("changed since it was written" in problem for problem in verify_bundle(sample))


def test_missing_short_and_extra_files(sample, capsys):
    (sample / "rec.nb").unlink()
    with (sample / "det.nb").open("ab") as file:
        file.write(b"x")
    (sample / "golden" / "extra").write_text("x")
    problems = "\n".join(verify_bundle(sample))
    assert "rec.nb: missing" in problems
    assert "det.nb: damaged or not a .nb file: 1 bytes are left over" in problems
    assert "golden/extra: not in the manifest" in problems
    assert ppedge("bundle", "verify", sample) == 1
    captured = capsys.readouterr()
    assert "rec.nb: missing" in captured.out and "4 problems" in captured.err


def set_(value, *keys, to):
    for key in keys[:-1]:
        value = value[key]
    value[keys[-1]] = to


@pytest.mark.parametrize(
    ("keys", "to", "says"),
    [
        (("models", "det", "opt_version"), "v2.10", "det.nb: written by opt v2.13-rc, expected is v2.10"),
        (("models", "rec", "classes"), 99, "charset.txt: 26 characters, expected are 98"),
        (("charset", "characters"), 5, "charset.txt: 26 characters, expected are 5"),
        (("models", "rec", "preprocess", "height"), 48, r"rec_00_input.*shape \[1, 3, 32, 320\], expected is"),
        (("models", "cls", "preprocess", "width"), 99, r"cls_00_input.*expected is \[1, 3, 48, 99\]"),
        (("schema",), 7, "schema 7"),
        (("charset", "file"), "../outside", "names '../outside'"),
        (("models",), [], "its structure is not that of a bundle's manifest"),
        (("golden",), 3, "its structure is not that of a bundle's manifest"),
    ],
)
def test_what_a_sealed_manifest_says_wrongly(sample, keys, to, says):
    rewrite(sample, lambda value: set_(value, *keys, to=to))
    assert any(re.search(says, problem) for problem in verify_bundle(sample)), verify_bundle(sample)


def test_golden_tensors_and_pictures_have_the_shapes_they_are_said_to_have(sample):
    (sample / "golden/01/det_output.f32.gz").write_bytes(gzip.compress(bytes(12)))
    (sample / "golden/01/det_input.f32.gz").write_bytes(b"no gzip")
    (sample / "golden/01/crop_00.png").write_bytes((sample / "golden/01/crop_01.png").read_bytes())
    (sample / "golden/02/picture.png").write_bytes(b"no picture")
    rewrite(sample, lambda value: None)
    problems = "\n".join(verify_bundle(sample))
    assert "det_output.f32.gz: 12 bytes once unpacked" in problems
    assert "det_input.f32.gz: no bytes once unpacked" in problems
    assert "crop_00.png: 48x148 pixels" in problems
    assert "02/picture.png: not a picture" in problems


def test_folders_that_are_no_bundle(tmp_path, capsys):
    with pytest.raises(PpedgeError, match="not a bundle"):
        verify_bundle(tmp_path)
    assert ppedge("bundle", "verify", tmp_path) == 2
    for text in ("{", "[]", "{}", "\xff"):
        (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
        (problem,) = verify_bundle(tmp_path)
        assert "manifest.json" in problem
