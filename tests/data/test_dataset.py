import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from ppedge.data.collate import collate_cls, collate_det, collate_rec
from ppedge.data.dataset import ClsDataset, DetDataset, RecDataset
from ppedge.data.labelled import DetSample, RecSample
from ppedge.data.pictures import Pictures, line_size
from ppedge.errors import PpedgeError
from ppedge.metrics.accuracy import read_crops
from ppedge.ocr.charset import Charset
from ppedge.ocr.preprocess import prepare_cls, prepare_det, prepare_rec, rec_width
from ppedge.ocr.spec import ClsPreprocess, DetPreprocess, RecPreprocess
from ppedge.recipe.train import DetAugment, RecAugment

QUAD = np.array([[20, 30], [100, 30], [100, 60], [20, 60]], np.float32)
DET = DetPreprocess(limit_side=96)
REC = RecPreprocess(min_width=40)
CHARSET = Charset("abc 1")


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "p.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (120, 180, 3), np.uint8))
    return path


@pytest.fixture(scope="module")
def det_samples(picture):
    return [DetSample(picture, [QUAD], ["a"], [False], "f:1"), DetSample(picture, [], [], [], "f:2")]


@pytest.fixture(scope="module")
def rec_samples(picture):
    return [
        RecSample(picture, "ab", "f:1", QUAD),
        RecSample(picture, "cab 1", "f:2"),
        RecSample(picture, "xyz", "f:3"),  # not in the charset
        RecSample(picture, "aaaaaaaa", "f:4"),  # too long
    ]


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_det_item(det_samples):
    data = DetDataset(det_samples, DET, DetAugment(crop=64), seed=1)
    item = data[(0, 0)]
    assert {name: value.shape for name, value in item.items()} == {
        "image": (3, 64, 64),
        **dict.fromkeys(("shrink_map", "shrink_mask", "threshold_map", "threshold_mask"), (64, 64)),
    }
    assert item["image"].dtype == item["threshold_map"].dtype == np.float32
    assert item["shrink_map"].dtype == item["shrink_mask"].dtype == item["threshold_mask"].dtype == np.uint8
    assert len(data) == 2 and not data[(0, 1)]["shrink_map"].any()


def test_det_evaluation_item_is_what_evaluation_sees(det_samples, picture):
    preprocess = replace(DET, limit_side=240)
    item = DetDataset(det_samples, preprocess, None)[(0, 0)]
    assert np.array_equal(item["image"], prepare_det(cv2.imread(str(picture)), preprocess)[0])
    ys, xs = np.nonzero(item["threshold_mask"])
    zoom_y, zoom_x = item["image"].shape[1] / 120, item["image"].shape[2] / 180
    assert (xs.min() + xs.max()) / 2 == pytest.approx(60 * zoom_x, abs=1.5)
    assert (ys.min() + ys.max()) / 2 == pytest.approx(45 * zoom_y, abs=1.5)


def test_samples_depend_on_seed_epoch_and_index_alone(det_samples, rec_samples):
    names = ("concat", "tia", "perspective", "crop", "blur", "noise", "color", "reverse")
    every = RecAugment(**dict.fromkeys(names, 1.0))
    for make in (
        lambda seed: DetDataset(det_samples[:1] * 2, DET, DetAugment(crop=64), seed),
        lambda seed: DetDataset(det_samples[:1] * 2, DET, DetAugment(crop=64, copy_paste=1), seed),
        lambda seed: RecDataset(rec_samples[:1] * 2, REC, every, CHARSET, 10, seed),
    ):
        data, elsewhere = make(1), pickle.loads(pickle.dumps(make(1)))
        first = data[(3, 1)]
        data[(0, 0)]
        assert same(first, data[(3, 1)]) and same(first, elsewhere[(3, 1)]), "order and process do not matter"
        for other in (data[(4, 1)], data[(3, 0)], make(2)[(3, 1)]):
            assert not np.array_equal(first["image"], other["image"])


def test_rec_items_and_what_is_left_out(rec_samples, picture):
    data = RecDataset(rec_samples, REC, None, CHARSET, 5)
    assert (len(data), data.left_out) == (2, 2)
    whole = data[(0, 1)]
    assert np.array_equal(whole["image"], prepare_rec([cv2.imread(str(picture))], REC)[0])
    assert whole["label"].tolist() == CHARSET.encode("cab 1") and whole["length"] == 5
    crop = cv2.imread(str(picture))[30:60, 20:100]
    np.testing.assert_allclose(data[(0, 0)]["image"], prepare_rec([crop], REC)[0], atol=0.02)


def test_widths_are_those_of_the_lines(picture, tmp_path):
    quads = [[[5, 5], [45, 5], [45, 15], [5, 15]], [[5, 5], [15, 5], [15, 45], [5, 45]]]  # the second stands upright
    samples = [RecSample(picture, "a", f"f:{n}", np.array(quad, np.float32)) for n, quad in enumerate(quads)]
    samples += [RecSample(picture, "a", "f:3"), RecSample(tmp_path / "gone.png", "a", "f:4")]
    data = RecDataset(samples, REC, None, CHARSET, 5)
    found = data.widths()
    for index in range(3):
        wanted = max(rec_width(data.crop(samples[index]), REC), REC.min_width)
        assert abs(found[index] - wanted) <= 2
    assert found[3] == REC.min_width
    assert len(set(found.tolist())) > 1


def test_the_size_of_a_line_is_that_of_the_upright_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 200)).save(tmp_path / "line.jpg", exif=exif.tobytes())
    assert line_size(RecSample(tmp_path / "line.jpg", "a", "f:1")) == (200, 30)


@pytest.mark.parametrize("width", [0.1, 40000])
def test_a_quad_that_cannot_be_cut_out_names_its_label(picture, width):
    quad = np.array([[0, 0], [width, 0], [width, 9], [0, 9]], np.float32)
    sample = RecSample(picture, "a", "f:7", quad)
    with pytest.raises(PpedgeError, match="^f:7: "):
        RecDataset([sample], REC, None, CHARSET, 5)[(0, 0)]
    with pytest.raises(PpedgeError, match="^f:7: "):
        read_crops([sample])


def test_a_picture_is_decoded_once_for_many_crops(rec_samples, monkeypatch):
    from ppedge.data import dataset, pictures

    read, calls = pictures.read_image, []
    monkeypatch.setattr(pictures, "read_image", lambda path: calls.append(path) or read(path))
    data = RecDataset(rec_samples[:1] * 9, REC, None, CHARSET, 5)
    for index in range(9):
        data[(0, index)]
    assert len(calls) == 1
    monkeypatch.setattr(dataset, "_CACHE_BYTES", 0)
    small = RecDataset(rec_samples[:1] * 2, REC, None, CHARSET, 5)
    assert same(small[(0, 0)], data[(0, 0)])


@pytest.mark.parametrize("chance", [None, 0.0, 0.6])
@pytest.mark.parametrize("kind", ["rec", "cls"])
def test_held_lines_are_the_decoded_ones(rec_samples, monkeypatch, chance, kind):
    """Whole pictures and cut ones, changed or not, at the height of evaluation and at others."""
    from ppedge.data import dataset, pictures

    names = ("concat", "tia", "perspective", "crop", "blur", "noise", "color", "reverse")
    changes = None if chance is None else RecAugment(**dict.fromkeys(names, chance))
    tall = replace(REC, max_width=60)

    def made():
        if kind == "cls":
            return ClsDataset(rec_samples[:2], CLS, changes, seed=4)
        return RecDataset(rec_samples[:2], tall, changes, CHARSET, 10, seed=4)

    places = [(epoch, index) for epoch in range(6) for index in range(2)]
    if kind == "rec":
        places += [(epoch, index, height) for epoch in range(2) for index in range(2) for height in (24, 32, 48)]
    holding = made()
    monkeypatch.setattr(dataset, "_LINES_BYTES", 0)
    decoding = made()
    for place in places:
        item = holding[place]
        assert same(item, decoding[place])
        if chance is None and kind == "rec":
            height = place[2] if len(place) == 3 else REC.height
            crop = decoding.crop(rec_samples[place[1]])
            assert np.array_equal(item["image"], prepare_rec([crop], replace(tall, height=height))[0])
    monkeypatch.setattr(pictures, "_read_checked", lambda path: pytest.fail("decoded again"))
    for place in places[:12]:
        holding[place]


def test_a_picture_that_others_are_given_too_cannot_be_written_into(rec_samples, picture):
    held = Pictures(1 << 20)
    whole = held.read(picture)
    assert held.read(picture) is whole
    for image in (whole, *map(held.crop, rec_samples[:2])):
        with pytest.raises(ValueError, match="read-only"):
            image[:] = 0


def test_collate_rec_pads_with_zeros_on_the_right():
    items = [
        {
            "image": np.ones((3, 4, width), np.float32),
            "label": np.arange(1, n + 1),
            "length": np.array(n),
            "width": np.array(filled),
        }
        for width, n, filled in ((5, 2, 4), (8, 3, 8))
    ]
    batch = collate_rec(items)
    assert batch["image"].shape == (2, 3, 4, 8) and not batch["image"][0, :, :, 5:].any()
    assert batch["image"][0, :, :, :5].all()
    assert batch["label"].tolist() == [[1, 2, 0], [1, 2, 3]] and batch["label"].dtype == np.int32
    assert batch["length"].tolist() == [2, 3] and batch["length"].dtype == np.int64
    assert batch["filled"].tolist() == [0.5, 1.0] and batch["filled"].dtype == np.float32


def test_collate_det_learns_nothing_in_the_padding(det_samples):
    data = DetDataset(det_samples, DET, None)
    small, large = data[(0, 0)], DetDataset(det_samples, replace(DET, limit_side=192), None)[(0, 0)]
    batch = collate_det([small, large])
    height, width = small["image"].shape[1:]
    assert batch["image"].shape == (2, *large["image"].shape)
    assert not batch["shrink_mask"][0, height:].any() and not batch["shrink_mask"][0, :, width:].any()
    assert np.array_equal(batch["shrink_map"][1], large["shrink_map"])


def test_real_receipts_become_batches(shared_data):
    from pathlib import Path

    from ppedge.data.formats import read_labels
    from ppedge.data.lines import rec_samples_from_detection

    labels = read_labels(Path("val.txt"), shared_data / "data" / "receipts", "detection")
    data = DetDataset(labels.samples[:4], DetPreprocess(), DetAugment(crop=320), seed=0)
    batch = collate_det([data[(0, i)] for i in range(4)])
    assert batch["image"].shape == (4, 3, 320, 320) and batch["shrink_map"].any(axis=(1, 2)).all()
    lines = RecDataset(
        rec_samples_from_detection(labels.samples), RecPreprocess(), None, Charset.from_name_or_file("en_number"), 64
    )
    assert len(lines) > 1000 and lines.left_out < 10


CLS = ClsPreprocess(height=16, width=48)


def test_a_classifiers_lines_are_turned_by_a_coin(rec_samples, picture):
    """Whatever they say; about half of them, in every epoch others, and the label says which."""
    data = ClsDataset(rec_samples, CLS, None, seed=3)
    assert len(data) == 4 and data.widths() is None
    image = cv2.imread(str(picture))
    both = [prepare_cls([crop], CLS)[0] for crop in (image, np.ascontiguousarray(image[::-1, ::-1]))]
    labels = []
    for epoch in range(100):
        item = data[(epoch, 2)]
        labels.append(int(item["label"]))
        assert np.array_equal(item["image"], both[labels[-1]])
    assert 35 < sum(labels) < 65
    assert [int(data[(0, k)]["label"]) for k in range(4)] != [int(data[(1, k)]["label"]) for k in range(4)]


def test_a_classifiers_items_are_a_function_of_the_seed(rec_samples):
    first, again, other = (ClsDataset(rec_samples, CLS, RecAugment(), seed=seed) for seed in (5, 5, 6))
    keys = [(epoch, index) for epoch in range(4) for index in range(4)]
    assert all(same(first[key], again[key]) for key in keys)
    assert not all(same(first[key], other[key]) for key in keys)
    assert same(pickle.loads(pickle.dumps(first))[(1, 0)], first[(1, 0)])


def test_a_classifiers_batch(rec_samples):
    data = ClsDataset(rec_samples, CLS, RecAugment())
    batch = collate_cls([data[(0, index)] for index in range(4)])
    assert batch["image"].shape == (4, 3, 16, 48) and batch["image"].dtype == np.float32
    assert batch["label"].shape == (4,) and batch["label"].dtype == np.int64


def test_a_line_is_as_high_as_its_batch(rec_samples):
    data = RecDataset(rec_samples, REC, RecAugment(perspective=1, blur=1), CHARSET, 10, seed=1)
    usual, higher = data[(0, 0)], data[(0, 0, 48)]
    assert np.array_equal(usual["image"], data[(0, 0, REC.height)]["image"])
    assert usual["image"].shape[1:] == (32, 86) and higher["image"].shape[1:] == (48, 128)
    assert usual["width"] == 86 and higher["width"] == 128
    small = cv2.resize(higher["image"].transpose(1, 2, 0), (86, 32)).transpose(2, 0, 1)
    assert np.abs(small - usual["image"]).mean() < 0.05, "the same random changes"
    assert np.array_equal(usual["label"], higher["label"])


def test_words_of_another_picture_are_learnt_like_its_own(det_samples):
    """The word of the first picture, in the second, which has none."""
    whole = DetAugment(flip=0, rotate=0, scale=(1.0, 1.0), crop=192, color=0)
    plain = DetDataset(det_samples, replace(DET, limit_side=192), whole)[(0, 1)]
    pasting = whole.model_copy(update={"copy_paste": 1.0})
    item = DetDataset(det_samples, replace(DET, limit_side=192), pasting)[(0, 1)]
    assert not plain["shrink_map"].any() and item["shrink_map"].sum() > 100
    assert (item["image"] != plain["image"]).any()


def test_joined_lines_have_the_label_and_the_width_of_both(rec_samples):
    joining = RecAugment(perspective=0, blur=0, noise=0, color=0, concat=1, concat_lines=1, concat_ratio=20)
    items = [RecDataset(rec_samples[:2], REC, joining, CHARSET, 10)[(0, index)] for index in range(2)]
    assert [item["label"].tolist() for item in items] == [
        CHARSET.encode("abcab 1"), CHARSET.encode("cab 1ab"),
    ]  # fmt: skip
    alone = RecDataset(rec_samples[:2], REC, None, CHARSET, 10)
    assert [item["width"] > alone[(0, index)]["width"] for index, item in enumerate(items)] == [True, True]
    assert [int(item["length"]) for item in items] == [7, 7]
    assert (
        RecDataset(rec_samples[:2], REC, joining, CHARSET, 6)[(0, 0)]["length"] == 2
    ), "too long: the line stays alone"
