"""Charts as inline SVG, drawn for the width of a phone; the page's style sheet gives them their colours.

Every mark has its own label, so none needs its colour to be told apart, and every chart a title and a description for
those who do not see it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from ppedge.page.markup import Html, tag

WIDTH = 360
_LETTER = 6.2  # width of a letter at the charts' font size of 11, about
_BAR, _LINE, _GAP = 14, 16, 6  # heights: a bar with its space, a heading, between groups
_LONGEST_BAR = 190
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 52, 16, 14, 40, 250  # the scatter plot's margins and height


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        value: Its length, 0 or more.
        label: What is written at its end.
        series: Which colour, from 0.
    """

    value: float
    label: str
    series: int = 0


@dataclass(frozen=True)
class Point:
    """One point of a scatter plot: a filled mark, and a hollow one of the same x, joined by a line.

    Attributes:
        x: Of both marks.
        y: Of the filled mark.
        reference: y of the hollow one.
        label: What is written beside it.
        series: Which shape and colour, from 0.
    """

    x: float
    y: float
    reference: float
    label: str
    series: int = 0


def bar_chart(title: str, description: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> Html:
    """Return horizontal bars in groups, each under its heading, all on one scale.

    Args:
        title: The chart's name.
        description: What it shows, for those who do not see it.
        groups: Heading and bars.
    """
    longest = max((bar.value for _, bars in groups for bar in bars), default=0.0) or 1.0
    y, drawn = 0, []
    for name, bars in groups:
        marks = [tag("text", name, x=0, y=y + 11, class_="heading")]
        for k, bar in enumerate(bars):
            top = y + _LINE + k * _BAR
            width = _LONGEST_BAR * bar.value / longest
            marks.append(tag("rect", x=0, y=top, width=max(width, 1.0), height=_BAR - 3, class_=f"s{bar.series % 6}"))
            marks.append(tag("text", bar.label, x=width + 6, y=top + 9))
        drawn.append(tag("g", *marks, class_="bars", data_name=name))
        y += _LINE + _BAR * len(bars) + _GAP
    return _svg(title, description, y, drawn)


def scatter(
    title: str, description: str, axes: tuple[str, str], points: Sequence[Point], line: tuple[float, str] | None = None
) -> Html:
    """Return points over a horizontal axis that begins at 0.

    Args:
        title: The chart's name.
        description: What it shows, for those who do not see it.
        axes: What x and y are.
        points: At least one.
        line: A vertical line at this x, and its name.
    """
    right = 1.1 * max(*(point.x for point in points), line[0] if line else 0.0, 1e-9)
    values = [y for point in points for y in (point.y, point.reference)]
    margin = max(0.15 * (max(values) - min(values)), 0.002)
    low, high = max(0.0, min(values) - margin), max(values) + margin
    place = _placing(right, (low, high))
    drawn = _axes(axes, right, (low, high), place(0, low)[1])
    if line:
        x = place(line[0], low)[0]
        drawn.append(tag("line", x1=x, x2=x, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="before"))
        drawn.append(tag("text", line[1], x=x - 4, y=_TOP + 8, text_anchor="end"))
    taken = [(*place(p.x, y), 8.0) for p in points for y in (p.y, p.reference)]
    for point in points:
        x, y = place(point.x, point.y)
        _, other = place(point.x, point.reference)
        drawn.append(tag("line", x1=x, x2=x, y1=y, y2=other, class_="joint"))
        drawn += [_mark(x, other, point.series, "hollow"), _mark(x, y, point.series, f"s{point.series % 6}")]
        at = _free_place(x, y, _LETTER * len(point.label), taken)
        drawn.append(tag("text", point.label, x=at[0], y=at[1] + 4))
    return _svg(title, description, _HEIGHT, drawn)


def curves(
    title: str, description: str, axes: tuple[str, str], lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]
) -> Html:
    """Return lines over one axis, each named at its end if there are several.

    Args:
        title: The chart's name.
        description: What it shows, for those who do not see it.
        axes: What x and y are.
        lines: Name and points (x, y), x ascending; at least one line with a point.
    """
    points = [point for _, line in lines for point in line]
    right = max(*(x for x, _ in points), 1e-9)
    values = [y for _, y in points]
    margin = 0.05 * (max(values) - min(values)) or max(abs(values[0]) * 0.1, 1e-6)
    low, high = min(values) - margin, max(values) + margin
    place = _placing(right, (low, high))
    drawn = _axes(axes, right, (low, high), place(0, low)[1])
    for number, (name, line) in enumerate(lines):
        places = [place(x, y) for x, y in line]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawn.append(tag("polyline", points=way, class_=f"curve c{number % 6}"))
        if len(places) == 1:
            drawn.append(_mark(*places[0], number, f"s{number % 6}"))
        if len(lines) > 1:
            drawn.append(tag("text", name, x=places[-1][0] - 2, y=places[-1][1] - 6, text_anchor="end"))
    return _svg(title, description, _HEIGHT, drawn)


def _svg(title: str, description: str, height: int, drawn: Sequence[Html]) -> Html:
    about = [tag("title", title), tag("desc", description)]
    return tag("svg", *about, *drawn, viewBox=f"0 0 {WIDTH} {max(height, 1)}", role="img", aria_label=title)


def _placing(right: float, span: tuple[float, float]) -> Callable[[float, float], tuple[float, float]]:
    """Return where a chart with axes draws a point (x, y), x from 0 to ``right``, y within ``span``."""
    low, high = span

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (WIDTH - _LEFT - _RIGHT) * x / right,
            _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - y) / (high - low),
        )

    return place


def _axes(names: tuple[str, str], right: float, span: tuple[float, float], bottom: float) -> list[Html]:
    end = WIDTH - _RIGHT
    drawn = [
        tag("line", x1=_LEFT, x2=end, y1=bottom, y2=bottom, class_="axis"),
        tag("line", x1=_LEFT, x2=_LEFT, y1=_TOP, y2=bottom, class_="axis"),
        tag("text", names[0], x=(_LEFT + end) / 2, y=_HEIGHT - 4, text_anchor="middle"),
        tag("text", names[1], x=0, y=9, class_="heading"),
    ]
    for value in _ticks(0.0, right):
        x = _LEFT + (end - _LEFT) * value / right
        drawn.append(tag("text", f"{value:g}", x=x, y=bottom + 15, text_anchor="middle"))
    for value in _ticks(*span):
        y = bottom - (bottom - _TOP) * (value - span[0]) / (span[1] - span[0])
        drawn.append(tag("text", f"{value:g}", x=_LEFT - 6, y=y + 4, text_anchor="end"))
        drawn.append(tag("line", x1=_LEFT, x2=end, y1=y, y2=y, class_="grid"))
    return drawn


def _ticks(low: float, high: float) -> list[float]:
    """Return 3 to 6 round values from ``low`` to ``high``."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(k * step, 12) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _mark(x: float, y: float, series: int, class_: str) -> Html:
    if series % 3 == 0:
        return tag("circle", cx=x, cy=y, r=5, class_=class_)
    corners = [(-5, -5), (5, -5), (5, 5), (-5, 5)] if series % 3 == 1 else [(0, -6), (6, 0), (0, 6), (-6, 0)]
    return tag("polygon", points=" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners), class_=class_)


def _free_place(x: float, y: float, width: float, taken: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Return where a label of this width begins so that it meets no mark and no earlier label, as far as that can be.

    Args:
        x: Of the mark.
        y: Of the mark.
        width: Of the label.
        taken: Middle and width of what is there; the label is added.
    """
    steps = sorted(product(range(-7, 8), (9.0, -9.0 - width)), key=lambda step: (abs(step[0]), step[1] < 0))
    places = [(x + dx, y + 7.0 * dy) for dy, dx in steps]
    within = [p for p in places if _LEFT < p[0] < WIDTH - width and _TOP < p[1] < _HEIGHT - _BOTTOM - 6] or places
    free = [
        p for p in within if all(abs(p[0] + width / 2 - a) > (width + w) / 2 or abs(p[1] - b) > 12 for a, b, w in taken)
    ]
    best = (free or within)[0]
    taken.append((best[0] + width / 2, best[1], width))
    return best
