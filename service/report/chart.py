"""The geometry of a bar chart: where its bars, lines and labels are.

Pure: values in, coordinates out, in the units of the `viewBox`. The template draws them.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from service.report import words

WIDTH: Final = 720
HEIGHT: Final = 210
_TOP: Final = 22  # above the highest line, for the label of the peak
_BOTTOM: Final = 22  # below the axis, for the dates
_GAP: Final = 8
_CHARACTER: Final = 6.2  # of a digit, about
_WIDEST: Final = 40  # bar
_LINES: Final = 3  # at most, above the axis
_FACTORS: Final = (1, 2, 5, 10)  # of a power of ten, which are round distances
_LEAST_HEIGHT: Final = 1.5  # of a bar whose value is not 0


class Bar(NamedTuple):
    """A bar, and the place of its middle on the axis."""

    x: float
    y: float
    width: float
    height: float


class Text(NamedTuple):
    """A label, and whether it starts, ends or has its middle there."""

    x: float
    y: float
    anchor: str
    text: str


class Line(NamedTuple):
    """A horizontal line, with its value at the left."""

    y: float
    label: Text


class Chart(NamedTuple):
    """A chart. `peak` labels the highest bar; None if all values are 0."""

    width: int
    height: int
    left: float
    lines: list[Line]
    bars: list[Bar]
    dates: list[Text]
    peak: Text | None


def draw(values: Sequence[int], labels: Sequence[str]) -> Chart:
    """Return the chart of some values, the labels of which are shown where there is room."""
    step, top = _scale(max(values))
    ticks = range(0, top + 1, step)
    left = round(max(len(words.number(tick)) for tick in ticks) * _CHARACTER + _GAP, 1)
    slot = (WIDTH - left) / len(values)
    width = min(slot * 0.78, _WIDEST)

    def y(value: int) -> float:
        return round(HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM), 1)

    def middle(place: int) -> float:
        return left + slot * (place + 0.5)

    lines = [Line(y(tick), Text(left - _GAP, y(tick) + 3.5, "end", words.number(tick))) for tick in ticks]
    bars = []
    for place, value in enumerate(values):
        height = max(round(HEIGHT - _BOTTOM - y(value), 1), _LEAST_HEIGHT) if value else 0.0
        bars.append(Bar(_x(middle(place) - width / 2), round(HEIGHT - _BOTTOM - height, 1), _x(width), height))
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=left,
        lines=lines,
        bars=bars,
        dates=_dates(labels, [middle(place) for place in range(len(values))]),
        peak=_peak(values, left, bars) if any(values) else None,
    )


def _scale(most: int) -> tuple[int, int]:
    """Return the distance of the lines, which is round, and the value of the highest of them."""
    least = max(-(-most // _LINES), 1)
    power = 10 ** (len(str(least)) - 1)
    step = next(factor * power for factor in _FACTORS if factor * power >= least)
    return step, max(-(-most // step), 1) * step


def _x(value: float) -> float:
    return round(value, 2)


def _held(x: float, text: str, left: float) -> tuple[float, str]:
    """Return where a text is, and its anchor, so that it does not leave the chart."""
    half = len(text) * _CHARACTER / 2
    if x - half < left:
        return left, "start"
    return (WIDTH, "end") if x + half > WIDTH else (_x(x), "middle")


def _dates(labels: Sequence[str], middles: Sequence[float]) -> list[Text]:
    """Return every n-th label, from the last one backwards, such that they do not touch."""
    slot = middles[1] - middles[0] if len(middles) > 1 else WIDTH
    every = math.ceil((max(map(len, labels)) * _CHARACTER + 2 * _GAP) / slot)
    found = []
    for place in range(len(labels) - 1, -1, -every):
        x, anchor = _held(middles[place], labels[place], 0)
        found.append(Text(x, HEIGHT - 6, anchor, labels[place]))
    return found[::-1]


def _peak(values: Sequence[int], left: float, bars: Sequence[Bar]) -> Text:
    place = values.index(max(values))
    text = words.number(values[place])
    x, anchor = _held(bars[place].x + bars[place].width / 2, text, left)
    return Text(x, round(bars[place].y - 5, 1), anchor, text)
