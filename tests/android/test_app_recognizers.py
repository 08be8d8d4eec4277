"""The app with a bundle of two recognisers: which one reads, what is loaded, what reports say, what is checked."""

import json
import shutil
from types import SimpleNamespace

import pytest
from desk import Desk, reseal

from ppedge.bundle.manifest import read_manifest, read_unsealed
from ppedge.storage import sha256

EACH = ["rec_preprocess", "rec_network", "rec_postprocess"]
ALL = ["det_preprocess", "det_network", "det_postprocess", "crop", "cls", *EACH]

pytestmark = pytest.mark.slow


@pytest.fixture
def phone(java, compiled, several, tmp_path):
    """A phone with the app and the sample bundle of two recognisers."""
    assets = tmp_path / "assets"
    shutil.copytree(several, assets / "bundle")

    def start():
        return Desk(java.jvm, compiled.recorded, assets, tmp_path / "storage")

    return SimpleNamespace(start=start, bundle=assets / "bundle", files=tmp_path / "storage/files")


def golden_texts(bundle, name):
    case = json.loads((bundle / "golden/01/golden.json").read_text())
    return [line["readings"][name]["text"] for line in case["lines"]]


def test_the_one_that_is_chosen_reads(phone):
    picture = str(phone.bundle / "golden/01/picture.png")
    with phone.start() as app:
        assert app.ask("recognizers")["recognizers"] == ["plates", "en"]
        for asked, reads in (("", "plates"), ("en", "en"), ("plates", "plates"), ("gone", "plates"), ("en", "en")):
            answer = app.ask("read", picture=picture, recognizer=asked)
            assert (answer["state"], answer["recognizer"]) == ("DONE", reads)
            assert [line["text"] for line in answer["lines"]] == golden_texts(phone.bundle, reads)
        about = app.ask("about", recognizer="en")
        assert (about["recognizer"], about["characters"]) == ("en", 4)
    assert golden_texts(phone.bundle, "plates") != golden_texts(phone.bundle, "en")


def test_the_self_test_is_of_all(phone):
    with phone.start() as app:
        assert app.run("self_test", run="x")["state"] == "DONE"
        report = app.report("self_test-x")
    assert report["passed"]
    names = [entry["name"] for entry in read_manifest(phone.bundle)["golden"]]
    assert [(c["golden"], c["stage"], c.get("recognizer")) for c in report["checks"]] == [
        (name, stage, reads if stage in EACH else None)
        for name in names
        for reads, stages in (("plates", ALL), ("en", EACH))
        for stage in stages
    ]
    assert report["models"]["rec"]["file"] == "rec_plates.nb"
    assert {name: model["file"] for name, model in report["recognizers"].items()} == {
        "plates": "rec_plates.nb", "en": "rec_en.nb"}  # fmt: skip


def test_a_fault_of_one_is_blamed_on_it(phone):
    first, *rest = (phone.bundle / "charset_en.txt").read_bytes().splitlines(keepends=True)
    (phone.bundle / "charset_en.txt").write_bytes(b"".join([*rest, first]))
    reseal(phone.bundle, read_unsealed(phone.bundle))
    with phone.start() as app:
        assert app.run("self_test", run="x")["state"] == "DONE"
        report = app.report("self_test-x")
    assert not report["passed"]
    failed = {(check["stage"], check["recognizer"]) for check in report["checks"] if not check["passed"]}
    assert failed == {("rec_postprocess", "en")}


def test_a_benchmark_is_of_the_one_that_is_named(phone):
    with phone.start() as app:
        for extras, file in (({}, "rec_plates.nb"), ({"recognizer": "en"}, "rec_en.nb")):
            assert app.run("benchmark", run="b", runs=2, warmup=0, **extras)["state"] == "DONE"
            report = app.report("benchmark-b")
            assert report["recognizer"] == extras.get("recognizer", "plates")
            assert report["models"]["rec"]["file"] == file
            assert report["models"]["rec"] == report["recognizers"][report["recognizer"]]
        answer = app.run("benchmark", run="c", recognizer="chinese")
        assert answer["problem"] == "bad_request"
        assert app.report("benchmark-c")["problem"]["detail"] == "recognizer = chinese, possible: [plates, en]"
        # From the screen a setting that outlived its recogniser is no error: the first reads, and it is named.
        assert app.run("benchmark", run="screen", runs=1, recognizer="chinese", headless=False)["state"] == "DONE"
        assert app.report("benchmark-screen")["recognizer"] == "plates"


def test_a_death_names_the_one_that_ran(phone):
    picture = str(phone.bundle / "golden/01/picture.png")
    with phone.start() as app:
        assert app.ask("read", picture=picture, recognizer="en")["state"] == "DONE"
        (phone.files / "die").write_text("rec_en.nb")
        assert app.ask("read", picture=picture, recognizer="en") is None
    (phone.files / "die").unlink()
    with phone.start() as app:
        assert app.ask("about")["detail"].startswith("running rec_en.nb on [1, 3, 48, ")


def test_a_damaged_one_is_named_and_mended_whichever_reads(phone):
    with phone.start() as app:
        assert app.ask("about")["state"] == "DONE"
        (copy,) = phone.files.glob("bundle-*")
        (copy / "rec_en.nb").write_bytes(b"broken")
        answer = app.ask("about", recognizer="en")  # when it is switched to
        assert answer["problem"] == "bad_bundle" and "rec_en.nb" in answer["detail"]
        assert app.ask("about", recognizer="en")["state"] == "DONE"
        assert sha256(copy / "rec_en.nb") == sha256(phone.bundle / "rec_en.nb")
    (copy / "charset_en.txt").write_bytes(b"broken")
    with phone.start() as app:
        answer = app.ask("about")  # at the start, though another one reads
        assert answer["problem"] == "bad_bundle" and "charset_en.txt" in answer["detail"]
        assert app.ask("about")["recognizer"] == "plates"


def test_a_bundle_of_one_has_no_names_to_choose_from(java, phone):
    shutil.rmtree(phone.bundle)
    shutil.copytree(java.bundle, phone.bundle)
    picture = str(phone.bundle / "golden/02/picture.png")
    with phone.start() as app:
        assert app.ask("recognizers")["recognizers"] == []
        assert app.ask("read", picture=picture, recognizer="en")["recognizer"] == ""
        assert app.run("benchmark", run="b", runs=1)["state"] == "DONE"
        assert not {"recognizer", "recognizers"} & app.report("benchmark-b").keys()
        assert app.run("benchmark", run="c", recognizer="en")["detail"] == "recognizer = en, possible: none"
