import json
import zipfile

import pytest

from lite_release import elf, make_release
from ppedge.bundle import android
from ppedge.bundle.elf import read_elf
from ppedge.cli.main import main
from ppedge.errors import PpedgeError
from ppedge.storage import sha256


@pytest.fixture
def app(tmp_path):
    (tmp_path / "android_demo" / "app").mkdir(parents=True)
    return tmp_path / "android_demo"


def ppedge(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code or 0


@pytest.mark.parametrize("place", ["java/so", "java/libs/arm64-v8a", "java/so/arm64-v8a"])
def test_paddle_lite_goes_into_the_app(tmp_path, app, place, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_release(tmp_path / "down" / "inference_lite_lib.android.armv8.clang.c++_shared", place=place)
    assert ppedge("bundle", "--into", app, "--lite-android", tmp_path / "down", "--json") == 0
    told = json.loads(capsys.readouterr().out)["lite"]
    record = json.loads((app / "app/libs/lite.json").read_text())
    assert told == record
    assert (record["abi"], record["page_alignment"]) == ("arm64-v8a", 16384)
    assert [entry["file"] for entry in record["files"]] == [
        "app/libs/PaddlePredictor.jar", "app/src/main/jniLibs/arm64-v8a/libpaddle_lite_jni.so"
    ]  # fmt: skip
    for entry in record["files"]:
        assert sha256(app / entry["file"]) == entry["sha256"]
    assert not (app / "app/src/main/assets").exists()


@pytest.mark.parametrize(
    ("library", "says"),
    [
        (elf(machine=62), "is for x86-64, 64 bits; the app is for arm64-v8a"),
        (elf(bits=32, machine=40), "is for arm, 32 bits"),
        (elf(kind=2), "not a shared library"),
        (elf(alignments=(65536, 4096)), "aligned to 4096 bytes: phones with 16 KB pages"),
        (elf(alignments=()), "aligned to 0 bytes"),
        (elf(alignments=())[:-1], "damaged: the segments lie beyond the end"),
        (elf()[:40], "damaged"),
        (elf(needed=["libc++_shared.so"]), r"needs libc\+\+_shared\.so, which is neither beside it nor on every phone"),
        (elf(needed=["libc.so"], strings_at=0x9000), "damaged: a table lies beyond the end"),
        (elf()[:128] + bytes([255] * 8) + elf()[136:], "damaged: "),  # where the dynamic section is said to be
        (b"#!/bin/sh", "not a library"),
        (b"", "not a library"),
    ],
)
def test_libraries_that_a_phone_would_not_load(tmp_path, app, library, says):
    with pytest.raises(PpedgeError, match=says):
        android.find_release(make_release(tmp_path / "r", library))
    assert ppedge("bundle", "--into", app, "--lite-android", tmp_path / "r") == 2
    assert list(app.rglob("*")) == [app / "app"]


def test_small_pages_can_be_insisted_on(tmp_path):
    files = android.find_release(make_release(tmp_path / "r", elf(alignments=(4096,))), allow_4k_pages=True)
    assert files.alignment == 4096
    with pytest.raises(PpedgeError, match="x86-64"):
        android.find_release(make_release(tmp_path / "s", elf(machine=62, alignments=(4096,))), allow_4k_pages=True)


@pytest.mark.parametrize("place", ["java/so", "cxx/lib"])
def test_what_the_library_needs_goes_with_it(tmp_path, app, place, capsys):
    release = make_release(tmp_path / "r", elf(needed=["libc.so", "liblog.so", "libc++_shared.so"]))
    (release / place).mkdir(parents=True, exist_ok=True)
    (release / place / "libc++_shared.so").write_bytes(elf(alignments=(65536,)))
    assert ppedge("bundle", "--into", app, "--lite-android", release, "--json") == 0
    names = [entry["file"].rpartition("/")[2] for entry in json.loads(capsys.readouterr().out)["lite"]["files"]]
    assert names == ["PaddlePredictor.jar", "libpaddle_lite_jni.so", "libc++_shared.so"]
    assert sorted(path.name for path in (app / "app/src/main/jniLibs/arm64-v8a").iterdir()) == sorted(names[1:])


def test_a_library_that_is_no_longer_needed_goes(tmp_path, app):
    release = make_release(tmp_path / "r", elf(needed=["libc++_shared.so"]))
    (release / "java/so/libc++_shared.so").write_bytes(elf())
    android.install_lite(android.find_release(release), app)
    own = app / "app/src/main/jniLibs/arm64-v8a/libmine.so"
    own.write_bytes(b"not of a release")
    android.install_lite(android.find_release(make_release(tmp_path / "static")), app)
    assert sorted(path.name for path in own.parent.iterdir()) == ["libmine.so", "libpaddle_lite_jni.so"]
    (app / "app/libs/lite.json").write_text("[]")
    android.install_lite(android.find_release(release), app)
    assert own.with_name("libc++_shared.so").is_file()


def test_what_the_library_needs_is_checked_too(tmp_path):
    release = make_release(tmp_path / "r", elf(needed=["libc++_shared.so"]))
    (release / "java/so/libc++_shared.so").write_bytes(elf(alignments=(4096,)))
    with pytest.raises(PpedgeError, match=r"libc\+\+_shared\.so: its segments are aligned to 4096"):
        android.find_release(release)
    assert android.find_release(release, allow_4k_pages=True).alignment == 4096


def test_headers_of_32_bits_are_read(tmp_path):
    (tmp_path / "lib.so").write_bytes(elf(bits=32, machine=40, alignments=(4096, 65536)))
    found = read_elf(tmp_path / "lib.so")
    assert (found.bits, found.machine, found.shared, found.alignments) == (32, "arm", True, (4096, 65536))


def test_folders_that_are_no_release(tmp_path):
    with pytest.raises(PpedgeError, match=r"no java/jar/PaddlePredictor\.jar"):
        android.find_release(tmp_path)
    release = make_release(tmp_path / "r")
    for content in (b"x", b""):
        (release / "java/jar/PaddlePredictor.jar").write_bytes(content)
        with pytest.raises(PpedgeError, match="not a jar that can be read"):
            android.find_release(release)
    zipfile.ZipFile(release / "java/jar/PaddlePredictor.jar", "w").close()
    with pytest.raises(PpedgeError, match="not Paddle Lite's Java API"):
        android.find_release(release)


def test_the_bundle_in_the_app_is_replaced_whole(sample, app, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assets = app / "app/src/main/assets/bundle"
    assert ppedge("bundle", "--out", sample, "--into", app) == 0
    assert (assets / "det.nb").read_bytes() == (sample / "det.nb").read_bytes()
    (assets / "cls.onnx").write_text("of an earlier bundle")
    android.install_bundle(sample, app)
    assert not (assets / "cls.onnx").exists()
    assert sorted(path.name for path in assets.parent.iterdir()) == ["bundle"]


def test_twins_for_a_pc_are_told_when_they_go_along(bundle, runs, picture, app, tmp_path, capsys):
    twins = sum((bundle / name).stat().st_size for name in ("det.onnx", "rec.onnx"))
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    assert ppedge("bundle", "--out", bundle, "--into", app) == 0
    note = f"note: {twins:,} of its {size:,} bytes are ONNX twins, which the app never opens: build the app's bundle"
    assert note in capsys.readouterr().out
    assert ppedge("bundle", "--out", bundle, "--into", app, "--json") == 0
    assert json.loads(capsys.readouterr().out).items() >= {"assets_bytes": size, "onnx_bytes": twins}.items()
    assert ppedge("bundle", *runs, "--pictures", picture, "--out", tmp_path / "small", "--into", app) == 0
    assert "note: " not in capsys.readouterr().out


def test_a_damaged_bundle_does_not_reach_the_app(sample, app):
    android.install_bundle(sample, app)
    assets = app / "app/src/main/assets/bundle"
    before = (assets / "det.nb").read_bytes()
    (sample / "det.nb").write_bytes(b"x")
    with pytest.raises(PpedgeError, match=r"det\.nb: 1 bytes, expected are"):
        android.install_bundle(sample, app)
    assert (assets / "det.nb").read_bytes() == before
    with pytest.raises(PpedgeError, match="not a bundle"):
        android.install_bundle(app, app)
