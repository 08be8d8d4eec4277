"""Checks of the app's resources, screens and manifest that neither aapt2 nor the compiler makes.

    cd android_demo && python -m tools.lint    says what is wrong, one sentence a line; exit code 1 if something is

Each rule is a function that yields sentences; `RULES` has them all.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from tools.contrast import contrasts
from tools.resources import ANDROID, ResourceError, Resources

HERE = Path(__file__).resolve().parents[1]
TOUCH = 48.0  # dp: Android's and WCAG's smallest size of what is touched
SPOKEN = {"text", "hint", "title", "label", "contentDescription", "entries", "tooltipText"}
TOUCHED = {
    "Button",
    "ImageButton",
    "SeekBar",
    "Spinner",
    "EditText",
    "CheckBox",
    "Switch",
    "RadioButton",
    "ToggleButton",
}
WORDLESS = {"ImageButton", "ImageView", "ProgressBar"}
LABELLED = {"SeekBar", "Spinner", "EditText"}
LETTERED = {"TextView", "Button", "EditText", "Spinner", "Toolbar", "CheckBox", "Switch"}
SIDES = re.compile(r"(padding|layout_margin|drawable|layout_alignParent|layout_to)(Left|Right)(Of)?")
PLACEHOLDER = re.compile(r"%(\d\$)?[^%\s]*?[sdf]")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
_EXPORT_PERMISSION = "android.permission.DUMP"  # adb's shell has it, and no app
_WORDS = {"string", "string-array", "plurals"}


@dataclass
class App:
    """What is looked at.

    Attributes:
        main: The folder ``app/src/main``.
        resources: Its resources.
        java: Its classes' sources, by the classes' simple names.
        manifest: Its manifest.
    """

    main: Path
    resources: Resources = field(init=False)
    java: dict[str, str] = field(init=False)
    manifest: Element = field(init=False)

    def __post_init__(self) -> None:
        """Read all of it."""
        self.resources = Resources(self.main / "res")
        self.java = {path.stem: path.read_text("utf-8") for path in sorted((self.main / "java").rglob("*.java"))}
        self.manifest = ElementTree.parse(self.main / "AndroidManifest.xml").getroot()

    def screens(self) -> set[str]:
        """Return the names of the layouts that fill a window."""
        return set(re.findall(r"\b(?:show|setContentView)\(R\.layout\.(\w+)", "\n".join(self.java.values())))

    def activities(self) -> dict[str, Element]:
        """Return the manifest's activities by their simple names."""
        found = self.manifest.iter("activity")
        return {element.get(f"{ANDROID}name", "").rpartition(".")[2]: element for element in found}


def _about(element: Element) -> str:
    name = element.get(f"{ANDROID}id", "").rpartition("/")[2] or element.get("name", "")
    return f"{element.tag} {name}".strip()


def languages(app: App) -> Iterator[str]:
    """Every text in both languages, with the same placeholders and items; what is not translated says so."""
    for (kind, name), found in app.resources.values.items():
        if kind not in _WORDS:
            continue
        english, chinese = found.get(""), found.get("zh")
        if english is None:
            yield f"{kind} {name}: not in English"
        elif english.get("translatable") == "false":
            if chinese is not None:
                yield f"{kind} {name}: not translatable, and in Chinese all the same"
        elif chinese is None:
            yield f"{kind} {name}: not in Chinese"
        else:
            yield from _translation(f"{kind} {name}", english, chinese)


def _translation(what: str, english: Element, chinese: Element) -> Iterator[str]:
    ours, theirs = ([node.text or "" for node in list(element) or [element]] for element in (english, chinese))
    if not all(text.strip() for text in ours + theirs):
        yield f"{what}: empty"
    if english.tag == "string-array" and len(ours) != len(theirs):
        yield f"{what}: {len(ours)} items in English, {len(theirs)} in Chinese"
    if english.tag == "plurals" and [item.get("quantity") for item in english] != ["one", "other"]:
        yield f"{what}: English has one and other"
    if english.tag == "plurals" and [item.get("quantity") for item in chinese] != ["other"]:
        yield f"{what}: Chinese has other alone"
    marks = Counter(PLACEHOLDER.findall(ours[-1]))
    if any(Counter(PLACEHOLDER.findall(text)) != marks for text in theirs):
        yield f"{what}: other placeholders in Chinese"
    if not CHINESE.search("".join(theirs)) and ours == theirs:
        yield f'{what}: as in English; mark it translatable="false", or translate it'


def used(app: App) -> Iterator[str]:
    """Every resource and every id is used by something."""
    xml = [ElementTree.tostring(file.root, "unicode") for file in app.resources.files]
    text = "\n".join([*app.java.values(), *xml, ElementTree.tostring(app.manifest, "unicode")])
    referred = set(re.findall(r"@(\w+/[\w.]+)", text)) | {
        f"{kind}/{name}" for kind, name in re.findall(r"\bR\.(\w+)\.(\w+)", text)
    }
    kinds = {"string-array": "array"}
    names = {(kinds.get(kind, kind), name) for kind, name in app.resources.values}
    names |= {(file.kind, file.name) for file in app.resources.files if file.kind != "values"}
    parents = {name.rpartition(".")[0] for kind, name in names if kind == "style"}
    for kind, name in sorted(names):
        if f"{kind}/{name}" not in referred and not (kind == "style" and name in parents):
            yield f"{kind} {name}: not used"
    looked_up = {name for kind, name in re.findall(r"\bR\.(id)\.(\w+)", text)} | set(re.findall(r'"@id/(\w+)"', text))
    for name in sorted(set(re.findall(r"@\+id/(\w+)", text)) - looked_up):
        yield f"id {name}: not used"


def layouts(app: App) -> Iterator[str]:
    """No words, colours or sides in layouts; all variants of one have the same ids."""
    for file in app.resources.of_kind("layout") + app.resources.of_kind("menu"):
        for element in file.root.iter():
            for key, value in element.attrib.items():
                name = key.removeprefix(ANDROID)
                where = f"{file.path}: {_about(element)}: {name} = {value}"
                if name in SPOKEN and not value.startswith("@"):
                    yield f"{where}: words belong into strings.xml"
                if value.startswith("#"):
                    yield f"{where}: colours belong into colors.xml"
                if SIDES.fullmatch(name):
                    yield f"{where}: start and end, for languages from right to left"
                if name == "textSize" and app.resources.size(value) and "sp" not in value:
                    yield f"{where}: sizes of text are in sp, and belong into dimens.xml"
        ids = _ids(file.root)
        for other in app.resources.of_kind(file.kind, file.name):
            if ids - _ids(other.root):
                yield f"{other.path}: has not the ids of {file.path}: {', '.join(sorted(ids - _ids(other.root)))}"


def _ids(root: Element) -> set[str]:
    return {found.rpartition("/")[2] for node in root.iter() if (found := node.get(f"{ANDROID}id"))}


def descriptions(app: App) -> Iterator[str]:
    """What has no words is described, or left out by screen readers; what is set has a label."""
    for file in app.resources.of_kind("layout"):
        labels = {node.get(f"{ANDROID}labelFor", "").rpartition("/")[2] for node in file.root.iter()}
        for element in file.root.iter():
            described = element.get(f"{ANDROID}contentDescription")
            left_out = element.get(f"{ANDROID}importantForAccessibility") == "no"
            if (element.tag in WORDLESS or "." in element.tag) and not (described or left_out):
                yield f"{file.path}: {_about(element)}: no contentDescription"
            labelled = element.get(f"{ANDROID}id", "").rpartition("/")[2] in labels
            if element.tag in LABELLED and not (described or labelled):
                yield f"{file.path}: {_about(element)}: no text is its label (labelFor)"


def touch_sizes(app: App) -> Iterator[str]:
    """What is touched is 48 dp high and, where its width is given, wide."""
    rows = {name for source in app.java.values() if "extends BaseAdapter" in source
            for name in re.findall(r"R\.layout\.(\w+)", source)}  # fmt: skip
    for file in app.resources.of_kind("layout"):
        for element in file.root.iter():
            row = element is file.root and file.name in rows
            if not row and element.tag not in TOUCHED:
                continue
            given = app.resources.attributes(element)
            height = max(app.resources.size(given.get(key, "")) for key in ("layout_height", "minHeight"))
            width = app.resources.size(given.get("layout_width", ""))
            if height < TOUCH:
                yield f"{file.path}: {_about(element)}: {height:.0f} dp high, less than {TOUCH:.0f}"
            if 0 < width < TOUCH:
                yield f"{file.path}: {_about(element)}: {width:.0f} dp wide, less than {TOUCH:.0f}"


def large_text(app: App) -> Iterator[str]:
    """What holds words grows with them: a user may set them to twice their size."""
    for file in app.resources.of_kind("layout"):
        for element in file.root.iter():
            given = app.resources.attributes(element)
            if element.tag in LETTERED and app.resources.size(given.get("layout_height", "")):
                yield f"{file.path}: {_about(element)}: its height is fixed, and would cut large text off"
            if element.tag in LETTERED and {"maxLines", "singleLine", "lines"} & given.keys():
                yield f"{file.path}: {_about(element)}: its lines are counted, and large text would be cut off"


def edge_to_edge(app: App) -> Iterator[str]:
    """Since Android 15 windows lie below the system's bars: every screen keeps clear of them, and paints them."""
    for name in sorted(app.screens()):
        for file in app.resources.of_kind("layout", name):
            if file.root.get(f"{ANDROID}fitsSystemWindows") != "true":
                yield f"{file.path}: a screen that does not keep clear of the system's bars (fitsSystemWindows)"
            if any(key.startswith(f"{ANDROID}padding") for key in file.root.attrib):
                yield f"{file.path}: a screen with padding of its own, which fitsSystemWindows replaces"
            if not file.root.get(f"{ANDROID}background"):
                yield f"{file.path}: a screen without a background, which the system's bars show"
            for element in file.root:
                if any(node.get(f"{ANDROID}fitsSystemWindows") for node in element.iter()):
                    yield f"{file.path}: fitsSystemWindows twice: the outer one takes all"


def components(app: App) -> Iterator[str]:
    """The manifest has every screen, and lets nobody start more than the app wants."""
    if app.manifest.findall("uses-permission"):
        yield "AndroidManifest.xml: the app asks for no permission"
    for element in app.manifest.iter():
        if not element.get(f"{ANDROID}label", "@").startswith("@"):
            yield f"AndroidManifest.xml: {_about(element)}: its label belongs into strings.xml"
    declared = app.activities()
    own = {
        name
        for name, source in app.java.items()
        if re.search(r"public final class \w+ extends (Screen|\w*Page)\b", source)
    }
    for name in sorted(own ^ declared.keys()):
        yield f"AndroidManifest.xml: {name}: " + ("not in it" if name in own else "no such class")
    for name, element in sorted(declared.items()):
        exported = element.get(f"{ANDROID}exported")
        launcher = any(node.get(f"{ANDROID}name") == "android.intent.category.LAUNCHER" for node in element.iter())
        if exported not in ("true", "false"):
            yield f"AndroidManifest.xml: {name}: does not say whether others may start it (exported)"
        elif exported == "true" and not launcher and element.get(f"{ANDROID}permission") != _EXPORT_PERMISSION:
            yield f"AndroidManifest.xml: {name}: any app may start it; {_EXPORT_PERMISSION} lets adb alone"
    for provider in app.manifest.iter("provider"):
        authority = provider.get(f"{ANDROID}authorities", "")
        if not any(f'"{authority}"' in source for source in app.java.values()):
            yield f"AndroidManifest.xml: the provider's {authority} is not the classes'"
        if provider.get(f"{ANDROID}exported") != "false":
            yield "AndroidManifest.xml: the provider is open to all; grants alone open it (exported)"


def back(app: App) -> Iterator[str]:
    """Nothing holds the way back up: the system shows where it leads before it is gone (predictive back)."""
    for name, source in app.java.items():
        if re.search(r"\bonBackPressed\b|KEYCODE_BACK", source):
            yield f"{name}.java: takes the way back into its own hands"


def contrast(app: App) -> Iterator[str]:
    """What is written can be read, in the light and in the dark."""
    yield from contrasts(app.resources, app.java)


RULES: tuple[Callable[[App], Iterator[str]], ...] = (
    languages, used, layouts, descriptions, touch_sizes, large_text, edge_to_edge, components, back, contrast,
)  # fmt: skip


def lint(main: Path) -> list[str]:
    """Return what is wrong with the app whose folder ``app/src/main`` this is.

    Raises:
        ResourceError: Something is not understood.
    """
    app = App(main)
    return [f"{rule.__name__}: {sentence}" for rule in RULES for sentence in rule(app)]


def run() -> int:
    """Print what is wrong; return the exit code."""
    try:
        found = lint(HERE / "app/src/main")
    except ResourceError as error:
        found = [str(error)]
    for sentence in found:
        print(sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(run())
