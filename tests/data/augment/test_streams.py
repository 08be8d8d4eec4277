"""What augmentations promise each other and the data sets, with augmentations that are made up for it."""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

import cv2
import numpy as np
import pytest

from ppedge.data import augment
from ppedge.data.augment import base, table
from ppedge.data.augment.base import Augmentation, Line, Scene, stream
from ppedge.data.collate import collate_rec
from ppedge.data.dataset import ClsDataset, DetDataset, RecDataset
from ppedge.data.labelled import DetSample, RecSample
from ppedge.ocr.charset import Charset
from ppedge.ocr.preprocess import prepare_rec
from ppedge.ocr.spec import ClsPreprocess, DetPreprocess, RecPreprocess
from ppedge.recipe.train import DetAugment, RecAugment

QUAD = np.array([[20, 30], [100, 30], [100, 60], [20, 60]], np.float32)
REC = RecPreprocess(min_width=40)
CHARSET = Charset("abcd")
NAMES = ["perspective", "blur", "noise", "color"]
OFF = RecAugment(perspective=0, blur=0, noise=0, color=0)
KEYS = [(epoch, index) for epoch in range(3) for index in range(4)]
MANY = [(epoch, index) for epoch in range(10) for index in range(4)]
TABLES = {"det": "SCENES", "rec": "LINES", "cls": "LINES"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Four pictures (120, 150 to 180, 3), each of another grey, with grain."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(4):
        image = rng.integers(50 * number, 50 * number + 40, (120, 150 + 10 * number, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return [folder / f"{number}.png" for number in range(4)]


@pytest.fixture(scope="module")
def make(pictures):
    def make(task, settings=None, **options):
        if task == "det":
            samples = [DetSample(path, [QUAD], ["a"], [False], "f:1") for path in pictures]
            return DetDataset(samples, DetPreprocess(limit_side=96), settings or DetAugment(crop=64), **options)
        # Odd ones are a part of a picture, the others a whole one.
        samples = [RecSample(p, "abcd"[n], f"f:{n}", QUAD if n % 2 else None) for n, p in enumerate(pictures)]
        if task == "cls":
            return ClsDataset(samples, ClsPreprocess(height=16, width=48), settings or RecAugment(), **options)
        return RecDataset(samples, REC, settings or RecAugment(), CHARSET, 2, **options)

    return make


def content(data, keys=KEYS):
    return {key: {name: array.tobytes() for name, array in data[key].items()} for key in keys}


@pytest.fixture
def add(monkeypatch):
    """Put an augmentation into a task's table, at a place."""

    def add(task, change, probability=1.0, place=0, name="extra"):
        entries = list(getattr(table, TABLES[task]).items())
        entries.insert(place, (name, Augmentation(lambda settings: probability, change)))
        monkeypatch.setattr(table, TABLES[task], dict(entries))

    return add


def invert(sample, settings, rng, draw_other):
    return replace(sample, image=draw_other().image[: rng.integers(2, 9)])


@pytest.mark.parametrize("task", ["det", "rec", "cls"])
def test_an_extra_augmentation_of_probability_0_changes_no_byte(task, make, add):
    before = content(make(task))
    for place in range(len(getattr(table, TABLES[task])) + 1):
        add(task, invert, 0.0, place, name=f"extra {place}")
    assert content(make(task)) == before
    add(task, invert, 1.0)
    assert content(make(task)) != before, "this would have been seen"


@pytest.fixture
def drawn(monkeypatch):
    """Note what is drawn: {name: {state of the generator at the beginning}} of each augmentation."""
    notes = {}

    def noting(name, entry):
        def change(sample, settings, rng, draw_other):
            notes.setdefault(name, set()).add(str(rng.bit_generator.state))
            return entry.change(sample, settings, rng, draw_other)

        return replace(entry, change=change)

    for of in ("LINES", "SCENES"):
        monkeypatch.setattr(table, of, {name: noting(name, entry) for name, entry in getattr(table, of).items()})

    def drawn(data):
        notes.clear()
        for key in MANY:
            data[key]
        return dict(notes)

    return drawn


@pytest.mark.parametrize("task", ["rec", "cls"])
@pytest.mark.parametrize("name", NAMES)
def test_the_probability_of_one_means_nothing_to_what_others_draw(task, name, make, drawn):
    every, none = (RecAugment().model_copy(update={name: p}) for p in (1.0, 0.0))
    usual, often, never = drawn(make(task)), drawn(make(task, every)), drawn(make(task, none))
    assert len(often[name]) == len(MANY) > len(usual[name]) and name not in never
    for draws in (usual, often, never):
        draws.pop(name, None)
    assert usual == often == never and set(usual) == {*NAMES} - {name}


def test_a_detectors_view_is_the_same_whatever_its_colour(make, drawn):
    pale, colourful = make("det", DetAugment(crop=64, color=0.0)), make("det", DetAugment(crop=64, color=0.9))
    assert "color" not in drawn(pale) and len(drawn(colourful)["color"]) == len(MANY)
    assert drawn(pale)["view"] == drawn(colourful)["view"]
    for key in KEYS:
        a, b = pale[key], colourful[key]
        assert not np.array_equal(a["image"], b["image"])
        assert all(np.array_equal(a[name], b[name]) for name in a if name != "image")


def test_a_classifiers_directions_do_not_depend_on_its_changes(make):
    plain, often = (make("cls", settings) for settings in (OFF, RecAugment(perspective=1, blur=1, noise=1, color=1)))
    labels = [int(plain[key]["label"]) for key in KEYS]
    assert labels == [int(often[key]["label"]) for key in KEYS] and set(labels) == {0, 1}


def glue(line, settings, rng, draw_other):
    """Put another line behind a line."""
    other = draw_other()
    size = (round(other.image.shape[1] * line.image.shape[0] / other.image.shape[0]), line.image.shape[0])
    return Line(np.hstack([line.image, cv2.resize(other.image, size)]), line.text + other.text)


def test_a_line_may_be_given_a_new_text_and_width(make, add):
    plain = make("rec", OFF)
    before = [plain[(0, index)] for index in range(4)]
    add("rec", glue)
    data = make("rec", OFF)
    items = [data[(0, index)] for index in range(4)]
    for index, (item, old) in enumerate(zip(items, before, strict=True)):
        first, second = item["label"].tolist()
        assert [first] == old["label"].tolist() == CHARSET.encode("abcd"[index]) and second != first
        assert item["length"] == 2 and item["width"] > old["width"]
        halves = Line(data.crop(data.samples[index]), ""), Line(data.crop(data.samples[second - 1]), "")
        glued = glue(halves[0], OFF, None, lambda line=halves[1]: line)
        assert np.array_equal(item["image"], prepare_rec([glued.image], REC)[0])
    batch = collate_rec([items[0], before[1]])
    assert batch["label"].tolist() == [items[0]["label"].tolist(), [*before[1]["label"].tolist(), 0]]
    assert batch["length"].tolist() == [2, 1] and batch["image"].shape[3] == items[0]["image"].shape[2]
    assert batch["filled"].tolist() == pytest.approx([1.0, before[1]["width"] / items[0]["width"]])
    assert np.array_equal(data.widths(), plain.widths()), "the order of an epoch is that of the lines as they are"


@pytest.mark.parametrize(("text", "taken"), [("dd", True), ("ddd", False), ("x", False)])
def test_what_cannot_be_a_label_is_not_taken(text, taken, make, add):
    """Too long, or a character that is no class: picture and text are those before this change, not before all."""
    add("rec", lambda line, settings, rng, draw_other: replace(line, image=255 - line.image), name="first")
    before = content(make("rec", OFF))
    add("rec", lambda line, settings, rng, draw_other: Line(line.image[:, :30], text), place=1, name="second")
    assert (content(make("rec", OFF)) != before) == taken
    assert (make("rec", OFF)[(0, 0)]["label"].tolist() == [4, 4]) == taken


@pytest.mark.parametrize("task", ["det", "rec", "cls"])
def test_what_is_drawn_depends_on_nothing_but_seed_epoch_and_index(task, make, add, pictures):
    """Nor on workers: each begins with a copy of the data set."""
    from ppedge.train.batches import Batches
    from ppedge.train.loader import load

    def mark(sample, settings, rng, draw_other):
        others = [int(draw_other().image[0, 0, 0]) // 50 for _ in range(3)]
        return replace(sample, image=np.full_like(sample.image, 60 * others[0] + 16 * others[1] + others[2]))

    add(task, mark)
    first = content(make(task))
    assert content(make(task), KEYS[::-1]) == first
    data = make(task)
    for _ in range(2):
        assert content(data) == first
    assert content(make(task, seed=1)) != first
    batches = Batches(4, 2, 6, seed=0)
    for workers in (0, 2):
        loaded = load(
            make(task), batches, lambda items, new: {str(i): item["image"] for i, item in enumerate(items)}, workers
        )
        for keys, images in zip(batches, loaded, strict=True):
            assert [image.numpy().tobytes() for image in images.values()] == [first[key]["image"] for key in keys]


def test_a_classifiers_lines_are_changed_upright_and_turned_afterwards(make, add):
    add("cls", lambda line, *others: glue(replace(line, image=np.zeros_like(line.image)), *others))
    data, labels = make("cls", OFF), []
    for key in KEYS:
        item = data[key]
        labels.append(int(item["label"]))
        filled = item["image"][0][:, (item["image"] != 0).any(axis=(0, 1))]
        ends = filled[:, :5].mean(), filled[:, -5:].mean()
        assert ends[labels[-1]] == -1 < ends[1 - labels[-1]], "black is in front"
    assert set(labels) == {0, 1}


def test_another_sample_is_another_one_and_every_other(make, add):
    drawn = []
    add("rec", lambda line, settings, rng, draw_other: drawn.append((line.text, draw_other().text)) or line)
    data = make("rec", OFF)
    for epoch in range(60):
        for index in range(4):
            data[(epoch, index)]
    counts = [drawn.count((a, b)) for a in "abcd" for b in "abcd" if a != b]
    assert sum(counts) == 240 and min(counts) > 8, "each of the three others about 20 times"
    data.samples = data.samples[:1]
    data[(0, 0)]
    assert drawn[-1] == ("a", "a"), "there is no other"


def test_another_line_comes_out_of_the_pictures_held(make, add, monkeypatch):
    from ppedge.data import pictures

    calls, read = [], pictures.read_image
    monkeypatch.setattr(pictures, "read_image", lambda path: calls.append(path) or read(path))
    for task in ("det", "rec"):
        add(task, lambda sample, settings, rng, draw_other: max([draw_other() for _ in range(20)], key=id))
        data = make(task)
        data.samples = data.samples[1::2]
        calls.clear()
        for key in KEYS[:2]:
            data[key]
        assert len(calls) == 2, "two pictures, each decoded once"


def test_a_picture_may_be_given_a_region_of_another(make, add):
    def paste(scene, settings, rng, draw_other):
        other = draw_other()
        x, y = other.polygons[0].min(axis=0).astype(int)
        image = scene.image.copy()
        image[80:110, 10:90] = other.image[y : y + 30, x : x + 80]
        moved = other.polygons[0] - other.polygons[0].min(axis=0) + np.array([10, 80], np.float32)
        assert other.zoom > 0 and scene.texts == ["a"] == other.texts
        return Scene(image, [*scene.polygons, moved], [*scene.ignore, False], [*scene.texts, "a"], scene.zoom)

    whole = DetAugment(flip=0, rotate=0, scale=(1.0, 1.0), crop=192, color=0)
    before = [make("det", whole)[(0, index)] for index in range(4)]
    add("det", paste)
    data = make("det", whole)
    for index, old in enumerate(before):
        new = data[(0, index)]
        regions = [cv2.connectedComponents(item["shrink_map"].astype(np.uint8))[0] - 1 for item in (old, new)]
        assert regions == [1, 2]
        pasted = new["image"][0][(new["shrink_map"] > 0) & (old["shrink_map"] == 0)]
        around = new["image"][0][old["shrink_map"] > 0]
        assert abs(pasted.mean() - around.mean()) > 0.3, "the grey of another picture"


def test_streams_go_their_own_ways():
    keys = [(seed, epoch, index) for seed in range(2) for epoch in range(10) for index in range(200)]
    numbers = np.array([[stream(key, name).random() for name in ("a", "b")] for key in keys])
    assert len(np.unique(numbers)) == numbers.size
    shares = np.histogram2d(*numbers.T, bins=4, range=[[0, 1], [0, 1]])[0] / len(keys) * 16
    assert np.abs(shares - 1).max() < 0.25, "spread evenly, and one says nothing about the other"
    assert stream((1, 2, 3), "a").bytes(64) == stream((1, 2, 3), "a").bytes(64)


def test_the_tables_are_those_of_all_families_without_a_name_twice():
    modules = [import_module(f"ppedge.data.augment.{found.name}") for found in iter_modules(augment.__path__)]
    families = [module for module in modules if module not in (base, table)]
    assert len(families) > 2
    for of in ("LINES", "SCENES"):
        names = [name for family in families for name in getattr(family, of, ())]
        assert len(set(names)) == len(names) and set(names) == set(getattr(table, of))
    assert "direction" not in table.LINES
