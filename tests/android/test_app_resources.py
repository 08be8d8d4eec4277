"""The app's resources: every word a user reads is a resource, in English and in Chinese."""

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

MAIN = Path(__file__).resolve().parents[2] / "android_demo/app/src/main"
RESOURCES = MAIN / "res"
ANDROID = "{http://schemas.android.com/apk/res/android}"
SPOKEN = {"text", "hint", "title", "label", "contentDescription", "entries", "tooltipText"}
PLACEHOLDER = re.compile(r"%(\d\$)?[^%\s]*?[sdf]")


def texts(folder):
    """The strings of a language by their names; of an array and of plurals, item by item."""
    found = {}
    for node in ElementTree.parse(RESOURCES / folder / "strings.xml").getroot():
        name = node.get("name")
        assert name not in found, f"{folder}: {name} twice"
        items = list(node)
        found[name] = [item.text or "" for item in items] if items else [node.text or ""]
        found[name].append(node.tag)
    return found


def layouts():
    return sorted(path for kind in ("layout", "layout-land", "menu") for path in (RESOURCES / kind).glob("*.xml"))


def test_both_languages_have_the_same_strings():
    english, chinese = texts("values"), texts("values-zh")
    assert english.keys() == chinese.keys()
    for name, (*items, kind) in english.items():
        *others, other_kind = chinese[name]
        assert kind == other_kind, name
        assert kind != "string-array" or len(items) == len(others), name
        for item in others:  # Chinese has one plural form, English two
            assert Counter(PLACEHOLDER.findall(item)) == Counter(PLACEHOLDER.findall(items[-1])), name
        assert all(item.strip() for item in items + others), name


def test_chinese_is_chinese():
    same = {name for name, items in texts("values").items() if items == texts("values-zh")[name]}
    assert same == {"app_name", "p50", "p90", "passed", "failed", "runtime", "android"}  # names, units and signs


def test_every_string_is_used():
    source = "".join(
        path.read_text("utf-8") for path in [*MAIN.rglob("*.java"), *layouts(), MAIN / "AndroidManifest.xml"]
    )
    for name in texts("values"):
        assert re.search(rf"R\.(string|array|plurals)\.{name}\b|@(string|array)/{name}\b", source), name


@pytest.mark.parametrize(
    "path", [*layouts(), MAIN / "AndroidManifest.xml"], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_no_words_in_layouts(path):
    for node in ElementTree.parse(path).iter():
        for key, value in node.attrib.items():
            if key.removeprefix(ANDROID) in SPOKEN:
                assert value.startswith("@"), f"{node.tag}: {key} = {value}"


@pytest.mark.parametrize("path", layouts(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_has_no_words_is_described_or_left_out(path):
    for node in ElementTree.parse(path).iter():
        if node.tag in ("ImageButton", "ImageView", "ProgressBar"):
            described = node.get(f"{ANDROID}contentDescription")
            assert described or node.get(f"{ANDROID}importantForAccessibility") == "no", node.attrib


def test_both_orientations_have_the_same_parts():
    parts = [
        {node.get(f"{ANDROID}id") for node in ElementTree.parse(RESOURCES / kind / "main.xml").iter()}
        for kind in ("layout", "layout-land")
    ]
    assert parts[0] == parts[1]


def test_every_colour_that_is_not_drawn_over_pictures_has_a_dark_one():
    day, night = (
        {node.get("name") for node in ElementTree.parse(RESOURCES / folder / "colors.xml").getroot()}
        for folder in ("values", "values-night")
    )
    over_pictures = {"box", "box_selected", "label_background", "label_text", "icon_background"}
    assert day - night == over_pictures
    assert night <= day
