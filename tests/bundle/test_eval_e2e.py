"""``ppedge eval --e2e``: a bundle of networks that are known by heart reads labelled pictures."""

import json

import numpy as np
import pytest

from tiny_runs import draw

BARS = [(20, 30, 20, 70), (45, 53, 10, 50)]


def around(bar):
    """A label's corners around what the tiny detector makes of a bar: the bar, grown."""
    top, bottom, left, right = bar
    return [[left - 5, top - 5], [right + 5, top - 5], [right + 5, bottom + 5], [left - 5, bottom + 5]]


def label_line(name, *texts):
    regions = [
        {"transcription": text, "points": np.clip(around(bar), 0, [96, 64]).tolist()}
        for text, bar in zip(texts, BARS, strict=False)
    ]
    return f"{name}\t{json.dumps(regions)}\n"


@pytest.fixture
def labels(tmp_path):
    """Two pictures of two lines each; every line reads "车b". One label has a dot, one region is not in the labels."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("one.png", "two.png"):
        draw(folder / name, bars=BARS)
    file = folder / "labels.txt"
    file.write_text(label_line("one.png", "车b", "车·b") + label_line("two.png", "车b"))
    return file


@pytest.mark.parametrize("order", ["--e2e first", "--e2e last"])
def test_what_is_printed(ppedge_here, bundle, labels, order):
    arguments = ["--e2e", bundle, labels] if order == "--e2e first" else [bundle, labels, "--e2e"]
    code, out, _ = ppedge_here("eval", *arguments, "--worst", 1, "--threads", 1)
    assert code == 0
    head, end_to_end, boxes, texts, note, few, form, worst, mistake = out.splitlines()
    assert "(det int8, rec int8; onnxruntime): 2 of 3 regions right, 4 lines read, 2 pictures" in head
    assert head.endswith(" s; metric strict")
    assert end_to_end.startswith("end to end")
    assert "precision 0.5000 (0.500 to 0.500), recall 0.6667 (0.500 to 1.000)" in end_to_end
    assert boxes.startswith("boxes ") and "precision 0.7500" in boxes and "recall 1.0000" in boxes
    assert texts.startswith("texts in matched boxes  exact 0.6667")
    assert note == "in parentheses: 95% interval over pictures"
    assert few.startswith(f"note: 2 pictures of {labels} say little: hmean is 0.5714, and as many others of their kind")
    assert few.endswith(f"; name more pictures in {labels}")
    assert form == (
        "note: 1 of 1 wrong texts differ from their labels in case, spaces or punctuation alone: "
        "--metric upper_alnum ignores that"
    )
    assert worst.endswith("one.png: 1 of 2 right") and mistake == "  车·b: read as 车b"


def test_it_says_how_texts_were_compared(ppedge_here, bundle, labels):
    code, out, _ = ppedge_here("eval", "--e2e", bundle, labels, "--metric", "upper_alnum", "--metric-ignore", "·")
    assert code == 0 and out.splitlines()[0].endswith(" s; metric upper_alnum; without '·'")
    assert "wrong texts" not in out


def test_json_and_the_options_of_the_metric(ppedge_here, bundle, labels):
    code, out, _ = ppedge_here("eval", "--e2e", bundle, labels, "--metric-ignore", "·", "--worst", 9, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["counts"] == {"right": 3, "lines": 4, "regions": 3}
    assert found["metrics"]["recall"] == found["metrics"]["exact"] == found["metrics"]["ned"] == 1.0
    assert found["wrong_texts"] == {"wrong": 0, "in_form": 0}
    assert found["intervals"]["precision"] == pytest.approx([0.5, 1.0])
    assert (found["metric"], found["metric_ignore"], found["models"]) == ("strict", "·", {"det": "int8", "rec": "int8"})
    (picture,) = found["worst"]
    assert picture["image"].endswith("two.png")
    assert [(m["label"], m["read"]) for m in picture["mistakes"]] == [(None, "车b")]


def test_bad_labels_are_refused_or_left_out(ppedge_here, bundle, labels):
    labels.write_text(labels.read_text() + "none.png\t[]\n")
    code, _, err = ppedge_here("eval", "--e2e", bundle, labels)
    assert code == 2 and "labels.txt:3" in err and "none.png" in err
    code, out, _ = ppedge_here("eval", "--e2e", bundle, labels, "--skip-bad")
    assert code == 0 and "2 pictures, 1 bad ones left out" in out
    labels.write_text(label_line("one.png", "###"))
    code, _, err = ppedge_here("eval", "--e2e", bundle, labels)
    assert code == 2 and "No region of the labels has a text" in err


def test_pictures_that_lie_elsewhere_are_looked_for_by_root(ppedge_here, bundle, labels, tmp_path):
    elsewhere = tmp_path / "labels" / "test.txt"
    elsewhere.parent.mkdir()
    labels.rename(elsewhere)
    looked = f"Pictures were looked for below {elsewhere.parent}, such as {elsewhere.parent / 'one.png'}"
    hint = f"{looked}: name their folder by --root DIR."
    for options in ([], ["--skip-bad"]):
        code, _, err = ppedge_here("eval", "--e2e", bundle, elsewhere, *options)
        assert code == 2 and "test.txt:1: no such picture: one.png" in err and ", and 1 more." in err and hint in err
    assert ppedge_here("eval", "--e2e", bundle, elsewhere, "--root", labels.parent)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--e2e", "BUNDLE"], "--e2e: takes a bundle and a label file."),
        (["--e2e", "nowhere", "LABELS"], "nowhere: not a bundle."),
        (["--e2e", "BUNDLE", "LABELS", "--set", "metric=strict"], "--set: --e2e measures a bundle as it is"),
        (["--e2e", "BUNDLE", "LABELS", "--stage", "slim"], "--stage: --e2e measures a bundle as it is"),
        (["BUNDLE", "LABELS"], "LABELS: is for a bundle. Add --e2e"),
        (["RUN", "--worst", "3"], "--worst: is for a bundle. Add --e2e"),
    ],
)
def test_what_does_not_belong_together(ppedge_here, bundle, labels, arguments, words):
    paths = {"BUNDLE": bundle, "LABELS": labels}
    code, out, err = ppedge_here("eval", *(paths.get(word, word) for word in arguments))
    assert (code, out) == (2, "") and words in err
