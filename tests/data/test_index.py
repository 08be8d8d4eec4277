"""Large label files: what an index gives is what the label file gives, and never what it once gave."""

import json
import os
import resource
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppedge.data import check, index
from ppedge.data.dataset import dataset_of
from ppedge.data.index_file import Index
from ppedge.data.samples import Samples, pictures_of, places_of, ratios_of, sizes_of, texts_of
from ppedge.data.source import read_samples
from ppedge.errors import PpedgeError
from ppedge.ocr.charset import Charset
from ppedge.recipe.data import LabelFile
from ppedge.recipe.io import save
from ppedge.recipe.train import RecAugment, Train
from small import tiny_recipe

LONG_AGO = 10**9


@pytest.fixture(autouse=True)
def cached(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(index, "WORTH", 1)


@pytest.fixture
def decoded(monkeypatch):
    """The names of the pictures that are decoded, in their order of names."""
    names = []
    whole = check.unreadable
    monkeypatch.setattr(check, "unreadable", lambda path: names.append(path.name) or whole(path))
    return names


def draw(path: Path, width: int = 60, value: int = 0, changed: int = LONG_AGO) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((20, width, 3), value, np.uint8))
    os.utime(path, (changed, changed))


@pytest.fixture
def root(tmp_path):
    for number in range(5):
        draw(tmp_path / "pictures" / f"{number}.png", 50 + number)
    (tmp_path / "pictures/broken.png").write_bytes(b"\x89PNG and no more")
    os.utime(tmp_path / "pictures/broken.png", (LONG_AGO, LONG_AGO))
    return tmp_path


def region(text, left=5, **more):
    return {"transcription": text, "points": [[left, 2], [left + 20, 2], [left + 20, 12], [left, 12]], **more}


def write(root: Path, kind: str, name: str = "train.txt", bad: bool = True) -> None:
    if kind == "recognition":
        lines = ["pictures/0.png\tA", "pictures/1.png\té B ", "pictures/0.png\t万"]
        bad_lines = ["no tab", "pictures/broken.png\tX", "pictures/none.png\tX"]
    else:
        five = {"transcription": "F\nG", "points": [[5, 2], [20, 1], [25, 2], [25, 12], [5, 12]]}
        lines = [
            f"pictures/0.png\t{json.dumps([region('A'), region('B', 28, difficult=True), five])}",
            "pictures/1.png\t[]",
            f"pictures/2.png\t{json.dumps([region('###'), region('', 28)])}",
            f"pictures/3.png\t{json.dumps([region('sticks out', 40)])}",
        ]
        bad_lines = ["no tab", "pictures/broken.png\t[]", f"pictures/4.png\t{json.dumps([region('outside', 70)])}"]
    # An empty line, a mark within and the lack of a last line end count for nothing.
    text = "\n".join([lines[0], *(bad_lines if bad else []), "", f"\ufeff{lines[1]}\r", *lines[2:]])
    (root / name).write_text(text, encoding="utf-8", newline="")


def recipe_of(root, case, **data):
    task = {"recognition": "rec", "detection": "det", "lines": "rec"}[case]
    return tiny_recipe(task, root, data={"labels": "recognition" if case == "recognition" else "detection", **data})


def read(recipe, monkeypatch=None, worth=1, **options):
    if monkeypatch is not None:
        monkeypatch.setattr(index, "WORTH", worth)
    told = []
    samples, skipped = read_samples(recipe, "train", say=told.append, **options)
    return samples, skipped, [line for line in told if "good lines are checked" not in line]


def same(one, other):
    """Whether two samples are equal to the last bit, and of the same types."""
    return type(one) is type(other) and all(
        [(a.dtype, a.tolist()) for a in x] == [(b.dtype, b.tolist()) for b in y]
        if isinstance(x, list) and x and isinstance(x[0], np.ndarray)
        else ((x.dtype, x.tolist()) == (y.dtype, y.tolist()) if isinstance(x, np.ndarray) else x == y)
        for x, y in zip(astuple(one), astuple(other), strict=True)
    )


@pytest.mark.parametrize("case", ["recognition", "detection", "lines"])
def test_an_index_gives_what_the_label_file_gives(root, case, monkeypatch):
    for name in ("train.txt", "more.txt"):
        write(root, "recognition" if case == "recognition" else "detection", name)
    recipe = recipe_of(root, case, train=["train.txt", LabelFile(file=Path("more.txt"), ratio=0.5)])
    expected = read(recipe, monkeypatch, 10**6, skip_bad=True)
    assert isinstance(expected[0], list)
    for _ in range(2):  # as it is made, and as it is found
        samples, skipped, told = read(recipe, monkeypatch, 1, skip_bad=True)
        assert isinstance(samples, Samples)
        assert (len(samples), skipped, told) == (len(expected[0]), *expected[1:])
        assert all(same(one, other) for one, other in zip(samples, expected[0], strict=True))
        assert all(same(samples[place], expected[0][place]) for place in (0, -1))
        assert all(same(*pair) for pair in zip(samples[1::2], expected[0][1::2], strict=True))
        for column in (texts_of, places_of, pictures_of):
            assert list(column(samples)) == list(column(expected[0]))
        for column in (ratios_of, *([] if case == "detection" else [sizes_of])):
            np.testing.assert_array_equal(column(samples), column(expected[0]))
        with pytest.raises(IndexError):
            samples[len(samples)]
    messages = []
    for worth in (10**6, 1, 1):
        with pytest.raises(PpedgeError) as told:
            read(recipe, monkeypatch, worth)
        messages.append(str(told.value))
    assert len(set(messages)) == 1
    assert "train.txt:2: no tab" in messages[0]
    assert "and 5 more" in messages[0]


def test_pictures_are_decoded_once(root, decoded):
    write(root, "recognition", bad=False)
    recipe = recipe_of(root, "recognition")
    read(recipe)
    assert sorted(decoded) == ["0.png", "1.png"]
    assert (root / ".train.txt.recognition.index").is_file()
    read(recipe)
    assert len(decoded) == 2


def test_small_label_files_have_none(root, monkeypatch):
    write(root, "recognition", bad=False)
    read(recipe_of(root, "recognition"), monkeypatch, 1000)
    assert not list(root.glob(".train*"))


def test_a_label_file_of_the_same_size_and_time_is_not_taken_for_another(root):
    write(root, "recognition", bad=False)
    path, recipe = root / "train.txt", recipe_of(root, "recognition")
    read(recipe)
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"A", b"Z"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert read(recipe)[0][0].text == "Z"


def test_only_pictures_that_are_new_or_changed_are_decoded_again(root, decoded):
    write(root, "recognition", bad=False)
    recipe = recipe_of(root, "recognition")
    read(recipe)
    decoded.clear()
    draw(root / "pictures/1.png", 77, changed=LONG_AGO + 1)
    with (root / "train.txt").open("a") as file:
        file.write("\npictures/2.png\tC\n")
    samples = read(recipe)[0]
    assert sorted(decoded) == ["1.png", "2.png"]
    np.testing.assert_array_equal(sizes_of(samples)[:, 0], [50, 77, 50, 52])
    decoded.clear()
    assert len(read(recipe)[0]) == 4
    assert decoded == []


@pytest.mark.parametrize("first", ["detection", "lines"])
def test_a_recogniser_of_the_same_labels_knows_the_detectors_pictures(root, decoded, first):
    write(root, "detection", bad=False)
    second = {"detection": "lines", "lines": "detection"}[first]
    read(recipe_of(root, first))
    assert len(decoded) == 4
    read(recipe_of(root, second))
    assert len(decoded) == 4


def test_a_picture_that_is_new_enough_to_change_unseen_is_decoded_each_time(root, decoded):
    write(root, "recognition", bad=False)
    recipe = recipe_of(root, "recognition")
    os.utime(root / "pictures/1.png")
    for _ in range(2):
        decoded.clear()
        read(recipe)
        assert "1.png" in decoded
    assert decoded == ["1.png"]


def test_a_picture_that_went_or_broke_is_a_problem_and_one_that_came_is_none(root):
    write(root, "recognition")
    recipe = recipe_of(root, "recognition")
    assert read(recipe, skip_bad=True)[1] == 3
    assert read(recipe, skip_bad=True)[1] == 3
    draw(root / "pictures/none.png")
    draw(root / "pictures/broken.png")
    samples, skipped, _ = read(recipe, skip_bad=True)
    assert ([sample.text for sample in samples], skipped) == (["A", "X", "X", "é B ", "万"], 1)
    (root / "pictures/1.png").unlink()
    (root / "pictures/0.png").write_bytes(b"no picture")
    samples, skipped, _ = read(recipe, skip_bad=True)
    assert ([sample.text for sample in samples], skipped) == (["X", "X"], 4)


def test_detection_pictures_of_another_size_are_held_against_their_regions_again(root):
    write(root, "detection", bad=False)
    recipe = recipe_of(root, "detection")
    assert len(read(recipe)[0]) == 4
    draw(root / "pictures/3.png", 30, changed=LONG_AGO + 1)
    with pytest.raises(PpedgeError, match=r"train\.txt:5: region 1: it lies outside.*3\.png has 30 x 20 pixels"):
        read(recipe)


def test_rules_that_have_changed_are_applied(root, monkeypatch, decoded):
    write(root, "recognition", bad=False)
    recipe = recipe_of(root, "recognition")
    read(recipe)
    decoded.clear()
    monkeypatch.setattr(index, "rules", lambda: "others")
    read(recipe)
    assert len(decoded) == 2


def test_a_damaged_index_is_made_anew(root, decoded):
    write(root, "recognition", bad=False)
    recipe, place = recipe_of(root, "recognition"), root / ".train.txt.recognition.index"
    read(recipe)
    whole = place.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 7)]
    for damaged in (*flipped, b"", whole[:-1], whole[: len(whole) // 2], whole + b"\0", b"\0" * len(whole)):
        place.write_bytes(damaged)
        assert Index.open(place) is None
    decoded.clear()
    assert [sample.text for sample in read(recipe)[0]] == ["A", "é B ", "万"]
    assert len(decoded) == 2
    assert place.read_bytes() == whole


def test_an_index_that_is_cut_while_in_use_is_told(root):
    write(root, "recognition", bad=False)
    samples = read(recipe_of(root, "recognition"))[0]
    os.truncate(root / ".train.txt.recognition.index", 0)
    with pytest.raises(PpedgeError, match=r"\.train\.txt\.recognition\.index: was cut off while it was in use"):
        samples[0]


def test_an_index_that_is_replaced_or_deleted_while_in_use_stays(root):
    write(root, "recognition", bad=False)
    recipe = recipe_of(root, "recognition")
    samples = read(recipe)[0]
    (root / "train.txt").write_text("pictures/2.png\tother\n")
    assert [sample.text for sample in read(recipe)[0]] == ["other"]
    (root / ".train.txt.recognition.index").unlink()
    assert [sample.text for sample in samples] == ["A", "é B ", "万"]


@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_it_lies_in_the_cache_where_it_cannot_lie_beside(root, what, decoded):
    write(root, "recognition", bad=False)
    recipe, place = recipe_of(root, "recognition"), root / ".train.txt.recognition.index"
    if what == "folder":
        (place / "full").mkdir(parents=True)
    else:
        os.mkfifo(place)
        (root / f".{place.name}.partial-").touch()
    told = []
    read_samples(recipe, "train", say=told.append)
    kept = list((root / "cache/ppedge/labels").glob("*.index"))
    assert len(kept) == (1 if what == "folder" else 0), "a pipe is replaced"
    assert str(kept[0] if kept else place) in told[0]
    decoded.clear()
    assert len(read(recipe)[0]) == 3
    assert decoded == []


def test_a_cache_that_others_may_write_to_is_not_read(root, decoded):
    write(root, "recognition", bad=False)
    (root / ".train.txt.recognition.index" / "full").mkdir(parents=True)
    recipe = recipe_of(root, "recognition")
    read(recipe)
    (root / "cache/ppedge/labels").chmod(0o777)
    decoded.clear()
    assert len(read(recipe)[0]) == 3
    assert len(decoded) == 2


def test_without_room_training_goes_on_and_says_so(root, decoded):
    write(root, "recognition", bad=False)
    recipe, told = recipe_of(root, "recognition"), []
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        samples, _ = read_samples(recipe, "train", say=told.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [sample.text for sample in samples] == ["A", "é B ", "万"]
    assert len(told) == 1
    assert "no room for its index" in told[0]
    assert "File too large" in told[0]
    assert sorted(decoded) == ["0.png", "1.png"], "what has been decoded is not decoded again"
    assert not list(root.rglob("*.index*"))


def test_a_label_file_that_changes_while_it_is_read_is_told(root, monkeypatch):
    write(root, "recognition", bad=False)
    whole = check.unreadable

    def changing(path):
        (root / "train.txt").write_text("pictures/2.png\tother\n")
        return whole(path)

    monkeypatch.setattr(check, "unreadable", changing)
    with pytest.raises(PpedgeError, match=r"train\.txt: was changed while it was read"):
        read(recipe_of(root, "recognition"))
    assert not list(root.glob(".train*"))


def test_a_label_file_of_the_other_kind_has_none(root):
    write(root, "detection", bad=False)
    with pytest.raises(PpedgeError, match=r"train\.txt:1: 3 of 4 lines look like detection labels"):
        read(recipe_of(root, "recognition"))
    assert not list(root.glob(".train*"))


READS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from ppedge.data import index
from ppedge.data.source import read_samples
from small import tiny_recipe
index.WORTH = 1
print(*(s.text for s in read_samples(tiny_recipe("rec", Path(sys.argv[2])), "train")[0]))
"""


def test_two_processes_may_make_it_at_the_same_time(root):
    write(root, "recognition", bad=False)
    command = [sys.executable, "-c", READS, Path(__file__).parents[1], root]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["A é B  万\n"] * 2
    assert [path.name for path in root.glob(".train*")] == [".train.txt.recognition.index"]


def test_what_a_killed_process_left_is_removed(root):
    write(root, "recognition", bad=False)
    left = root / "..train.txt.recognition.index.partial-killed"
    left.mkdir()
    (left / "index").write_bytes(b"half")
    read(recipe_of(root, "recognition"))
    assert not left.exists()


MEASURED = """
import json, sys, tracemalloc
from pathlib import Path
from ppedge.data import index
from ppedge.data.samples import pictures_of, places_of, texts_of
from ppedge.data.source import read_samples
from ppedge.recipe.io import load_recipe

index.WORTH = 1
recipe = load_recipe(Path(sys.argv[1]))
read_samples(recipe, "train")
tracemalloc.start()
samples, _ = read_samples(recipe, "train")
counts = [sum(1 for _ in column(samples)) for column in (texts_of, places_of, pictures_of)]
print(json.dumps([counts, tracemalloc.get_traced_memory()[1]]))
"""


def test_memory_does_not_grow_with_the_lines(root):
    """In a process of its own: what others have left to do in this one takes memory too."""
    lines = 10_000
    (root / "train.txt").write_text("".join(f"pictures/{n % 5}.png\ttext {n}\n" for n in range(lines)))
    save(recipe_of(root, "recognition"), root / "recipe.yml")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, root / "recipe.yml"], capture_output=True, text=True, check=True
    )
    counts, peak = json.loads(done.stdout)
    assert counts == [lines] * 3
    assert peak < 64 * lines + 4_000_000  # a list of them takes 500 bytes a line


def test_batches_of_an_index_are_those_of_the_label_file(root, monkeypatch):
    write(root, "recognition", bad=False)
    recipe = recipe_of(root, "recognition", charset="ascii").model_copy(
        update={"train": Train(rec_augment=RecAugment(concat=1.0, color=1.0))}
    )
    charset = Charset.from_name_or_file("ascii")
    kept, listed = (dataset_of(recipe, read(recipe, monkeypatch, worth)[0], charset) for worth in (1, 10**6))
    assert isinstance(kept.samples, Samples)
    assert (len(kept), kept.left_out) == (len(listed), listed.left_out) == (1, 2), "two have other characters"
    np.testing.assert_array_equal(kept.widths(), listed.widths())
    for epoch in range(2):
        for name, value in kept[(epoch, 0)].items():
            np.testing.assert_array_equal(value, listed[(epoch, 0)][name])
