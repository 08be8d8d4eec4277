import hashlib
from pathlib import Path

import numpy as np
import pytest

from ppedge.data import synth
from ppedge.data.check import check
from ppedge.data.formats import read_labels
from ppedge.data.synth import ensure_synth, generate
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import Charset
from ppedge.ocr.image_file import read_image
from ppedge.recipe.data import Data, Synth

KINDS = [("plates", "words"), ("words", "words"), ("scenes", "words"), ("scenes", "plates")]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize(("kind", "content"), KINDS)
def test_data_is_clean_and_inside_its_charset(tmp_path, kind, content):
    generate(kind, tmp_path / "out", 6, 3, 0, content)
    charset = Charset.from_name_or_file("plates" if "plates" in (kind, content) else "en_number")
    labels = "detection" if kind == "scenes" else "recognition"
    for file, count in (("train.txt", 6), ("val.txt", 3)):
        report = check([Path(file)], tmp_path / "out", labels, charset)
        assert (report.problems, report.outside_charset, report.pictures) == ([], {}, count)
        assert kind != "scenes" or report.boxes >= count
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("kind", "content"), KINDS)
def test_same_seed_same_bytes(tmp_path, kind, content):
    for name, seed, train in (("a", 7, 3), ("b", 7, 3), ("more", 7, 4), ("c", 8, 3)):
        generate(kind, tmp_path / name, train, 1, seed, content)
    a, b, more, c = (digests(tmp_path / name) for name in ("a", "b", "more", "c"))
    assert a == b
    pictures = {name for name in a if name.endswith(".jpg")}
    assert all(a[name] == more[name] != c[name] for name in pictures)
    assert len({a[name] for name in pictures}) == 4, "train and eval differ too"


def test_scene_labels_lie_on_their_text(tmp_path):
    generate("scenes", tmp_path / "s", 8, 0, 1, "words")
    for sample in read_labels(Path("train.txt"), tmp_path / "s", "detection").samples:
        image = read_image(sample.image)
        height, width = image.shape[:2]
        for polygon in sample.polygons:
            assert polygon.min() >= 0 and (polygon.max(axis=0) <= (width, height)).all()
        boxes = [(*p.min(axis=0), *p.max(axis=0)) for p in sample.polygons]
        assert len(boxes) == len(set(boxes))


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    generate("words", tmp_path / "out", 1, 1, 0)  # an empty folder is as good as none
    before = digests(tmp_path / "out")
    with pytest.raises(PpedgeError, match="there already"):
        generate("words", tmp_path / "out", 2, 1, 0)
    assert digests(tmp_path / "out") == before
    with pytest.raises(PpedgeError, match="negative"):
        generate("words", tmp_path / "new", -1, 1, 0)


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate("words", tmp_path / "out", 3, 1, 0, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def data(root: Path, **changes) -> Data:
    values = {"train": [Path("train.txt")], "eval": [Path("val.txt")], **changes}
    return Data(root=root, synth=Synth(kind="words", train=2, eval=1), **values)


def test_a_recipe_gets_its_data_once(tmp_path):
    root = tmp_path / "data"
    assert ensure_synth(data(root)) is True
    before = digests(root)
    assert ensure_synth(data(root)) is False and digests(root) == before
    other = data(root).model_copy(update={"synth": Synth(kind="words", train=3, eval=1)})
    with pytest.raises(PpedgeError, match="other settings"):
        ensure_synth(other)
    assert ensure_synth(Data(root=root)) is False


def test_a_recipe_with_its_own_labels_keeps_them(tmp_path):
    for name in ("train.txt", "val.txt"):
        (tmp_path / name).write_text("x\ty\n")
    assert ensure_synth(data(tmp_path)) is False
    with pytest.raises(PpedgeError, match=r"names other\.txt"):
        ensure_synth(data(tmp_path / "new", train=[Path("other.txt")]))


def test_of_two_processes_the_slower_one_takes_the_others_data(tmp_path, monkeypatch):
    root = tmp_path / "data"

    def overtaken(*args):
        generate(*args)
        raise PpedgeError("there already")

    monkeypatch.setattr(synth, "generate", overtaken)
    assert ensure_synth(data(root)) is False
    assert len(read_labels(Path("train.txt"), root, "recognition").samples) == 2


def test_words_hold_every_printable_character():
    from ppedge.data.texts import line_text

    rng = np.random.default_rng(0)
    texts = [line_text(rng) for _ in range(3000)]
    assert all(text and text == text.strip() and len(text) <= 32 for text in texts)
    assert set("".join(texts)) == {chr(code) for code in range(32, 127)}
