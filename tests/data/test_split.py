import random

import cv2
import numpy as np
import pytest

from ppedge.data.split import Part, split, write
from ppedge.errors import PpedgeError

SHARES = {"train": 0.8, "eval": 0.1, "test": 0.1}


class Full(list):
    """Lines in whose middle the disk is full."""

    def __iter__(self):
        yield b"a"
        raise OSError("the disk is full")


@pytest.fixture
def labelled(tmp_path):
    """Write pictures and a label file that names each with a text; return its path."""

    def make(texts):
        for name in texts:
            picture = tmp_path / name
            picture.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(picture), np.zeros((4, 4, 3), np.uint8))
        labels = tmp_path / "labels.txt"
        labels.write_text("".join(f"{name}\t{text}\n" for name, text in texts.items()))
        return labels

    return make


@pytest.fixture
def forty(labelled):
    """Forty lines of four streets."""
    return labelled({f"{'abcd'[k % 4]}/{k}.png": f"text {k}" for k in range(40)})


def parts_of(file, shares=SHARES, **options):
    found = split(file, file.parent, shares, **options)
    return {name: part.lines for name, part in found.parts.items()}


def test_each_line_is_in_one_part_of_the_right_size(forty):
    parts = parts_of(forty)
    assert {name: len(lines) for name, lines in parts.items()} == {"train": 32, "eval": 4, "test": 4}
    assert sorted(line for lines in parts.values() for line in lines) == sorted(forty.read_bytes().splitlines())


def test_the_order_of_the_lines_does_not_matter_and_the_seed_does(forty):
    parts, lines = parts_of(forty), forty.read_text().splitlines()
    random.Random(1).shuffle(lines)
    forty.write_text("\ufeff" + "\r\n".join(lines) + "\r\n")
    assert parts_of(forty) == parts
    assert parts_of(forty, seed=1) != parts


def test_lines_of_one_picture_stay_together_however_it_is_named(labelled):
    file = labelled({f"a/{k}.png": "one" for k in range(10)})
    file.write_text(file.read_text() + "".join(f"a//{k}.png\ttwo\n" for k in range(10)))
    found = split(file, file.parent, {"train": 0.5, "eval": 0.5, "test": 0.0})
    assert [(part.pictures, len(part.lines)) for part in found.parts.values()] == [(5, 10), (5, 10)]
    names = [{line.split(b"\t")[0].replace(b"//", b"/") for line in part.lines} for part in found.parts.values()]
    assert not names[0] & names[1]


@pytest.mark.parametrize("group", [".*/", "^(.)/[0-9]+"])
def test_groups_are_kept_whole(forty, group):
    parts = parts_of(forty, {"train": 0.5, "eval": 0.25, "test": 0.25}, group=group)
    streets = [{line[:1] for line in lines} for lines in parts.values()]
    assert [len(street) for street in streets] == [2, 1, 1] and len(set.union(*streets)) == 4


def test_crops_of_one_picture_are_kept_whole_unless_a_group_says_otherwise(labelled):
    names = [f"{k}_crop_{n}.jpg" for k in range(1, 11) for n in range(5)]
    names += ["crop_1.jpg", "11_crop_.jpg", "11_crop_x.jpg"]  # which are no such names
    file = labelled({f"crop_img/{name}": "x" for name in names})
    found = split(file, file.parent, {"train": 0.5, "eval": 0.25, "test": 0.25})
    parts = [{line.split(b"_crop_")[0] for line in part.lines} for part in found.parts.values()]
    pictures = [{f"crop_img/{k}".encode() for k in range(1, 11)} & part for part in parts]
    assert sum(map(len, pictures)) == 10 and found.groups == 13
    assert split(file, file.parent, SHARES, group=".*").groups == 53


def test_a_large_group_does_not_empty_the_other_parts(labelled):
    file = labelled({f"{'a' if k < 18 else k}/{k}.png": "x" for k in range(20)})
    for seed in range(5):
        assert [len(lines) for lines in parts_of(file, seed=seed, group=".*/").values()] == [18, 1, 1]


def test_detection_labels_are_split_as_they_stand(labelled):
    regions = '[{"points": [[0, 0], [3, 0], [3, 3], [0, 3]],  "transcription": "\\u8f66", "more": 1}]'
    file = labelled({f"a/{k}.png": regions if k else "[]" for k in range(10)})
    found = split(file, file.parent, SHARES)
    assert sorted(line for part in found.parts.values() for line in part.lines) == sorted(
        file.read_bytes().splitlines()
    )
    assert not found.problems and not found.unseen(), "texts of detection labels are no recogniser's"


def test_texts_that_are_json_are_texts_all_the_same(labelled):
    file = labelled({f"a/{k}.png": text for k, text in enumerate(["[]", "5", "Taxi", "{}", "true"])})
    assert len(parts_of(file, {"train": 1.0, "eval": 0.0, "test": 0.0})["train"]) == 5


def test_characters_that_training_lacks_are_told(labelled):
    file = labelled({f"a/{k}.png": "abc" for k in range(9)})
    shares = {"train": 0.8, "eval": 0.2, "test": 0.0}
    [line] = [line for line in parts_of(file, shares)["eval"] if line][:1]
    file.write_bytes(file.read_bytes().replace(line, line.replace(b"abc", b"aQQ")))
    assert split(file, file.parent, shares).unseen() == {"eval": {"Q": 2}}
    assert not split(file, file.parent, {"train": 0.0, "eval": 0.5, "test": 0.5}).unseen()


@pytest.mark.parametrize(
    ("shares", "options", "told"),
    [
        ({"train": 0.9, "eval": 0.1, "test": 0.1}, {}, r"The shares 0\.9 \+ 0\.1 \+ 0\.1 add up to 1\.1, not to 1"),
        ({"train": float("nan"), "eval": 0.1, "test": 0.1}, {}, "not to 1"),
        ({"train": 0.98, "eval": 0.01, "test": 0.01}, {}, "test.txt would be empty: 0.01 of 40 pictures in 40 groups"),
        (SHARES, {"group": "("}, r"--group '\(': not a regular expression"),
        (SHARES, {"group": "street"}, "--group 'street': found in no picture's path"),
        (SHARES, {"group": "(x)?"}, r"--group '\(x\)\?': found in no picture's path"),
        (SHARES, {"group": ".*/"}, "test.txt would be empty: 0.1 of 40 pictures in 4 groups"),
    ],
)
def test_what_cannot_be_split_is_a_sentence(forty, shares, options, told):
    with pytest.raises(PpedgeError, match=told):
        split(forty, forty.parent, shares, **options)


def test_bad_lines_are_an_error_or_left_out(forty):
    forty.write_text(forty.read_text() + "no tab\n")
    with pytest.raises(PpedgeError, match=r"labels\.txt:41: no tab.*; 1 problems, nothing written"):
        split(forty, forty.parent, SHARES)
    found = split(forty, forty.parent, SHARES, skip_bad=True)
    assert sum(part.pictures for part in found.parts.values()) == 40 and len(found.problems) == 1


def test_files_are_replaced_only_if_asked_and_never_the_source(forty, tmp_path):
    parts = split(forty, tmp_path, SHARES).parts
    write(parts, tmp_path, forty)
    assert (tmp_path / "train.txt").read_bytes().splitlines() == parts["train"].lines
    with pytest.raises(PpedgeError, match=r"train\.txt: there already"):
        write(parts, tmp_path, forty)
    two = split(forty, tmp_path, {"train": 0.5, "eval": 0.5, "test": 0.0}).parts
    write(two, tmp_path, forty, force=True)
    assert not (tmp_path / "test.txt").exists(), "it would hold lines of train.txt"
    with pytest.raises(PpedgeError, match="has the name of a part"):
        write(two, tmp_path, tmp_path / "train.txt", force=True)


def test_where_one_file_cannot_be_written_none_is(forty, tmp_path):
    out, parts = tmp_path / "out", split(forty, tmp_path, SHARES).parts
    with pytest.raises(OSError, match="full"):
        write({**parts, "test": Part(Full())}, out, forty)
    assert not list(out.iterdir())
    (out / "val.txt").mkdir()
    with pytest.raises(PpedgeError, match=r"val\.txt: a folder"):
        write(parts, out, forty, force=True)
    assert [path.name for path in out.iterdir()] == ["val.txt"]
