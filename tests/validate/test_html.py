"""The page of a report: what it shows, that no string of the report becomes markup, that nothing is loaded."""

import copy
import re
from html.parser import HTMLParser

import pytest

from ppedge.page.markup import tag
from ppedge.validate.html import CLASSES, PAGE, render, write_page
from ppedge.validate.side_by_side import rows as rows_of

EVIL = "<script>alert('&')</script>\""
PIXEL = b"\xff\xd8\xff\xe0"


class Page(HTMLParser):
    """Collects elements and texts; fails where tags are not balanced."""

    def __init__(self, source):
        super().__init__()
        self.open, self.elements, self.text, self.rows = [], [], "", []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name == "tr":
            self.rows.append([])
        if name in ("td", "th"):
            self.rows[-1].append("")
        if name not in ("meta", "img", "br"):
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def all(self, name):
        return [attributes for found, attributes in self.elements if found == name]


def model(precision, cpu, total, **changes):
    counts = {"total": total, **{name: total // 7 for name in CLASSES}, "dot": 0}
    tensors = {"identical": False, "max_difference": 0.61, "mean_difference": 2.7e-4, "cosine": 0.999, "snr_db": 29.2}
    change = {"value": -0.0179, "low": -0.0415, "high": 0.0}
    return {
        "file": f"rec.{precision}.nb", "precision": precision, "baseline": False, "cpu": cpu, "bytes": 715710,
        "runtime": "paddlelite v2.13", "input_shape": [1, 3, 32, 320], "instructions": counts,
        "estimated_latency": None, "ratios": {name: 0.5 for name in counts}, "load_instructions": 15_400_000,
        "memory_bytes": 24_200_000, "reference": "paddle", "candidate": "arm-paddlelite", "samples": 20,
        "tensors": tensors, "agreement": {"share": 0.95, "lines": 20, "equal": 19},
        "metric": {"main": "exact", "reference": {"exact": 0.9697}, "candidate": {"exact": 0.9518},
                   "difference": {"exact": change}, "confidence": 0.95, "resamples": 2000},
        "shapes": [{"name": "first", "input_shape": [1, 3, 32, 320], **tensors},
                   {"name": "tall", "input_shape": [1, 3, 32, 32], **dict.fromkeys(tensors), "identical": False}],
        "repeat_differences": 0, "broken_outputs": 0, "different": [], "blame": None, **changes,
    }  # fmt: skip


def baseline(cpu):
    whole = model("fp32", cpu, 700_000_000, file="baseline/rec.fp32.nb", baseline=True)
    extra = ("reference", "candidate", "samples", "tensors", "agreement", "metric", "shapes", "different", "blame",
             "repeat_differences", "broken_outputs")  # fmt: skip
    return {key: value for key, value in whole.items() if key not in extra}


@pytest.fixture
def report():
    different = {
        "picture": f"images/{EVIL}.jpg", "where": "val.txt:3", "box": None, "label": EVIL,
        "drawing": "differences/a.jpg",
        "reference": {"text": "12.00", "score": 0.9}, "candidate": {"text": "", "score": None},
    }  # fmt: skip
    stages = [
        {"stage": stage, "changes": [], "difference": {}, "alone": share, "left": 0.1, "explained": share,
         "blamed": share > 0}
        for stage, share in (("preprocess", 0.0), ("network", 1.0), ("postprocess", 0.0))
    ]  # fmt: skip
    layer = {
        "operator": "Conv2D", "quantized": True, "own_cosine": 0.99, "accumulated_cosine": 0.9,
        "accumulated_snr_db": 12.0, "input_scale": 3.2, "input_max": 5.1, "input_clipped": 0.002,
        "weight_change_db": None,
    }  # fmt: skip
    phones = [{"soc": "Kirin 980", "core": "Cortex-A76", "milliseconds": 24.04}]
    cpus = ["cortex-a53", "cortex-a76"]
    gate = {"gate": "max_metric_drop", "model": "rec.int8.nb", "cpu": "cortex-a53", "value": 0.0179, "limit": 0.005,
            "note": EVIL, "by_chance": False, "passed": False}  # fmt: skip
    other = {**gate, "gate": "max_nb_bytes", "cpu": None, "value": None, "limit": 1e6, "note": ""}
    return {
        "schema": 2, "name": EVIL, "versions": {"ppedge": "0.1.0"}, "task": "rec", "engine": "paddlelite", "cpus": cpus,
        "models": [
            *(baseline(cpu) for cpu in cpus),
            *(model("fp32", cpu, 600_000_000, estimated_latency={"band": 1.4, "phones": phones}) for cpu in cpus),
            *(model("int8", cpu, 500_000_000, different=[different],
                    blame={"verdict": f"to blame is {EVIL}", "stages": stages}) for cpu in cpus),
        ],
        "gates": [gate, other, {**gate, "gate": "broken_outputs", "passed": True}],
        "passed": False,
        "layers": [{**layer, "layer": "head.conv", "own_snr_db": 18.25}, {**layer, "layer": "x", "own_snr_db": None}],
        "device": {"model": "Pixel", "soc": "sm8150", "abi": "arm64-v8a", "android": "13",
                   "input_shape": [1, 3, 32, 320], "threads": 1, "warmup": 10, "repeats": 30,
                   "models": [{"file": "rec.fp32.nb", "bytes": 1, "runtime": "Paddle Lite v2.13",
                               "ms": {"avg": 31.2, "min": 30.1, "max": 35.0}},
                              {"file": "rec.fp16.nb", "bytes": 1, "error": "no fp16 kernels"}]},
    }  # fmt: skip


def page_of(report):
    return Page(render(report, {"differences/a.jpg": PIXEL}))


def test_every_gate_has_a_row_and_failures_come_first(report):
    rows = page_of(report).rows
    assert rows[1:4] == [
        ["max_metric_drop", "✗ failed", "0.0179", "≤ 0.005", "rec.int8.nb", "cortex-a53", EVIL],
        ["max_nb_bytes", "✗ failed", "not finite", "≤ 1,000,000", "rec.int8.nb", "any", ""],
        ["broken_outputs", "✓ passed", "0.0179", "≤ 0.005", "rec.int8.nb", "cortex-a53", EVIL],
    ]


def test_the_head_says_on_how_many_samples_the_gates_hold(report):
    assert "1 of 3 gates hold, on 20 lines of data.eval." in page_of(report).text
    assert "gates hold, on 20 pictures of data.test." in page_of({**report, "task": "det", "pictures": "test"}).text
    assert "gates hold, on 20 samples of data.eval." in page_of({**report, "task": "cls"}).text
    assert "1 of 3 gates hold." in page_of({**report, "models": [baseline("cortex-a53")]}).text


def test_trained_slimmed_and_shipped_stand_side_by_side(report):
    slim = {"metrics": {"float": {"exact": 0.75}, "finetuned": {"exact": 0.7}, "quantized": {"exact": 0.69}},
            "measured_on": "test"}  # fmt: skip
    report["accuracy"] = rows_of(slim, report["models"], "test")
    page = page_of(report)
    start = page.rows.index(["Network", "Precision", "Computed by", "exact", "Pictures"])
    assert page.rows[start + 1 : start + 6] == [
        ["trained", "fp32", "training", "0.7500", "data.test, all"],
        ["pruned", "fp32", "training", "0.7000", "data.test, all"],
        ["quantized", "int8", "training", "0.6900", "data.test, all"],
        ["rec.fp32.nb", "fp32", "pc", "0.9697", "data.test, 20"],
        ["rec.fp32.nb", "fp32", "cortex-a53", "0.9518", "data.test, 20"],
    ]
    assert page.rows.count(["rec.fp32.nb", "fp32", "pc", "0.9697", "data.test, 20"]) == 1  # for two cores
    assert rows_of(None, report["models"], "eval")[0]["network"] == "rec.fp32.nb"


def test_cost_of_every_file_and_core(report):
    rows = page_of(report).rows
    figures = ["500.0", "0.500", "715,710", "1.000", "15.4", "24.2"]
    assert ["int8", "rec.int8.nb", "cortex-a76", *figures] in rows
    assert any(row[0] == "fp32 before slimming" for row in rows)


def test_a_bar_for_every_class_and_file_on_each_core(report):
    source = render(report, {})
    for words in CLASSES.values():
        groups = re.findall(rf'<g class="bars" data-name="{words}">(.*?)</g>', source)
        assert len(groups) == 2
        assert all(group.count("<rect") == 3 for group in groups)
        assert all(" fp32 before slimming<" in group and " int8<" in group for group in groups)


def test_parity_on_three_levels_blame_layers_estimates_and_phone(report):
    page = page_of(report)
    for row in (
        ["Signal to noise, dB", "29.2"],
        ["Agreement", "95.00%"],
        ["exact (main)", "0.9697", "0.9518", "-0.0179", "-0.0415 to +0.0000"],
        ["tall", "1x3x32x32", "not finite", "not finite"],
        ["network", "to blame", "100.0%", "100.0%", "10.0%", "-"],
        ["head.conv", "Conv2D", "int8", "18.2", "12.0", "3.2", "0.20%"],
        ["rec.fp32.nb on cortex-a76", "Kirin 980 (Cortex-A76)", "about 24", "17 to 34"],
        ["rec.fp16.nb", "-", "-", "-", "", "no fp16 kernels"],
    ):
        assert row in page.rows
    assert "An estimate from counted instructions, not a measurement" in page.text
    assert "18.2 dB by itself" in page.text


def test_no_text_becomes_markup(report):
    source = render(report, {"differences/a.jpg": PIXEL})
    assert "<script" not in source.lower()
    page = Page(source)
    assert page.text.count(EVIL) > 5
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert tag("p", "\0\u202eab", title='"><b>') == '<p title="&quot;&gt;&lt;b&gt;">\ufffd\ufffdab</p>'


def test_nothing_is_loaded_from_anywhere(report):
    source = render(report, {"differences/a.jpg": PIXEL})
    assert not re.search(r"https?:|//[a-z]|url\(|@import", source)
    page = Page(source)
    assert {name for name, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "a"})
    assert [image["src"] for image in page.all("img")] == ["data:image/jpeg;base64,/9j/4A=="] * 2
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_for_those_who_do_not_see_it(report):
    page = page_of(report)
    assert all(image["alt"] for image in page.all("img"))
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    charts = page.all("svg")
    assert len(charts) == 4 and all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("table")) == len([e for e in page.all("div") if e.get("class") == "scroll"])


def test_the_same_report_gives_the_same_bytes(report):
    assert render(report, {}) == render(copy.deepcopy(report), {})


def test_a_report_without_its_optional_parts(report, tmp_path):
    """Of a run that was not slimmed, one file, nothing that differs, no picture left on the disk."""
    for key in ("name", "versions", "layers", "device"):
        del report[key]
    short = model("fp32", "cortex-a53", 7, ratios=None)
    for key in ("estimated_latency", "blame", "different"):
        del short[key]
    (tmp_path / PAGE).write_text("an earlier one")
    write_page(tmp_path, {**report, "cpus": ["cortex-a53"], "models": [short], "gates": [], "passed": True})
    page = Page((tmp_path / PAGE).read_text())
    assert "rec: passed" in page.text and "the same on every sample" in page.text
    assert not any(words in page.text for words in ("Layers", "Estimated latency", "Android", "None"))
    only_cost = {**report, "models": [baseline("cortex-a53")], "cpus": ["cortex-a53"], "gates": []}
    assert "Parity" not in Page(render(only_cost, {})).text


def test_drawings_are_taken_from_the_folder(report, tmp_path):
    (tmp_path / "differences").mkdir()
    (tmp_path / "differences/a.jpg").write_bytes(PIXEL)
    write_page(tmp_path, report)
    assert (tmp_path / PAGE).read_text() == render(report, {"differences/a.jpg": PIXEL})


def test_a_detector(report):
    different = {"picture": "a.jpg", "where": "val.txt:1", "box": None, "reference": 36, "candidate": 37, "matched": 34,
                 "drawing": "differences/a.jpg"}  # fmt: skip
    agreement = {"share": 0.9591, "reference": 85, "candidate": 86, "matched": 82}
    report |= {"task": "det", "models": [model("int8", "cortex-a53", 7, different=[different], agreement=agreement)]}
    page = page_of(report)
    assert ["The same at IoU 0.9", "82"] in page.rows and ["val.txt:1", "a.jpg", "36", "37", "34"] in page.rows
    told = page.all("img")[0]["alt"]
    assert "boxes of paddle on the left, 2 of its own; of arm-paddlelite on the right, 3" in told
