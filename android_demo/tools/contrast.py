"""Whether what the screens say can be read: contrast in the light and in the dark (WCAG 2.1, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from tools.resources import ANDROID, DAY, NIGHT, Colour, Resources, contrast, over

TEXT, SIGN = 4.5, 3.0  # smallest ratios of WCAG's level AA: of text, of what else is to be seen
THEME = "AppTheme"
WRITTEN = {"TextView", "Button", "EditText", "CheckBox", "Switch"}
OVER_PICTURES = "PictureView"  # the class that draws on pictures, whose colours nobody knows
WHITE, BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
_SINCE = {"navigationBarColor", "windowLightNavigationBar"}  # a light bar needs dark signs, which Android 8.1 has
_BRIGHT = 128


def contrasts(resources: Resources, java: Mapping[str, str]) -> Iterator[str]:
    """Yield what cannot be read: of themes, layouts, colours that classes set, and what is drawn over pictures.

    Args:
        resources: The app's.
        java: Sources by class.
    """
    yield from _themes(resources)
    for mode in (DAY, NIGHT):
        page = resources.colour(resources.style(THEME, mode)["colorBackground"], mode)
        found = [*_theme(resources, mode), *_layouts(resources, mode, page), *_classes(resources, java, mode, page)]
        for what, front, back, least in [*found, *_over_pictures(resources, mode)]:
            ratio = contrast(over(front, back), back)
            if ratio < least:
                yield f"{what}: contrast {ratio:.1f} in the {mode or 'day'}, less than {least}"


Pair = tuple[str, Colour, Colour, float]


def _themes(resources: Resources) -> Iterator[str]:
    """All variants of the theme set the same, and the system's signs are dark on a light screen alone."""
    variants = resources.values[("style", THEME)]
    names = [
        {item.get("name", "").removeprefix("android:") for item in element} - _SINCE for element in variants.values()
    ]
    for (qualifier, element), own in zip(variants.items(), names, strict=True):
        where = f"the theme of values{'-' * bool(qualifier)}{qualifier}"
        for name in sorted(set().union(*names) - own):
            yield f"{where}: does not set {name}, others do"
        items = {item.get("name", "").removeprefix("android:"): item.text for item in element}
        mode = NIGHT if qualifier == NIGHT else DAY
        light = sum(resources.colour(resources.style(THEME, mode)["colorBackground"], mode)[:3]) > 3 * _BRIGHT
        for name in ("windowLightStatusBar", "windowLightNavigationBar"):
            if items.get(name, str(light).lower()) != str(light).lower():
                yield f"{where}: {name} is {items[name]} on a {'light' if light else 'dark'} screen"


def _theme(resources: Resources, mode: str) -> Iterator[Pair]:
    """Yield what Android itself writes in the theme's colours: the bar, menus, lists of choices, sliders."""
    theme = resources.style(THEME, mode)
    for back in ("colorBackground", "colorBackgroundFloating"):
        for front, least in (("textColorPrimary", TEXT), ("textColorSecondary", TEXT), ("colorAccent", SIGN)):
            written, below = (resources.colour(theme[name], mode) for name in (front, back))
            yield f"{front} on {back}", written, below, least


def _layouts(resources: Resources, mode: str, page: Colour) -> Iterator[Pair]:
    for file in resources.of_kind("layout"):
        for element, around in resources.whole(file.root):
            given = resources.attributes(element, mode)
            where = f"{file.path}: {element.tag} {given.get('id', given.get('text', '')).rpartition('/')[2]}".strip()
            backs = [page]
            for each in (*around, element):
                backs = _painted(resources, each, mode, backs)
            for back in backs:
                if element.tag in WRITTEN:
                    yield where, resources.colour(given.get("textColor", "none set"), mode), back, TEXT
                if "tint" in given:
                    yield f"{where}: its picture", resources.colour(given["tint"], mode), back, SIGN


def _painted(resources: Resources, element: Element, mode: str, backs: list[Colour]) -> list[Colour]:
    """Return what may be seen behind what is on an element: its own background on those around it."""
    given = resources.attributes(element, mode)
    if "backgroundTint" in given:
        return [resources.colour(given["backgroundTint"], mode)]
    background = given.get("background")
    if background is None:
        return backs
    if not background.startswith("@drawable/"):
        return [over(resources.colour(background, mode), back) for back in backs]
    (drawable,) = resources.of_kind("drawable", background.removeprefix("@drawable/"))
    items = [item.get(f"{ANDROID}drawable", "") for item in drawable.root.iter("item")]
    own = [resources.colour(item, mode) for item in items if item.startswith("@color/")]
    return backs + [over(colour, back) for colour in own for back in backs]


def _classes(resources: Resources, java: Mapping[str, str], mode: str, page: Colour) -> Iterator[Pair]:
    """Yield the colours that classes set: of text on the page or on a row that is chosen."""
    chosen = over(resources.colour("@color/selected", mode), page)
    for name, source in java.items():
        for colour in sorted(set(re.findall(r"\bR\.color\.(\w+)", source))) if name != OVER_PICTURES else ():
            for back in (page, chosen):
                yield f"{name}.java: {colour}", resources.colour(f"@color/{colour}", mode), back, TEXT


def _over_pictures(resources: Resources, mode: str) -> Iterator[Pair]:
    """Yield labels on their ground, and boxes on their seam: the pictures below may have any colour."""
    ground, *others = (
        resources.colour(f"@color/{name}", mode) for name in ("label_background", "label_text", "box", "box_selected")
    )
    for below in (WHITE, BLACK):
        for name, colour, least in zip(("text", "a box", "the chosen box"), others, (TEXT, SIGN, SIGN), strict=True):
            yield f"{name} over pictures", colour, over(ground, below), least
