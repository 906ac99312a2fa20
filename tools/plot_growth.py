"""Draw times against sizes, both on logarithmic axes: ``python -m tools.plot_growth CSV >SVG``.

The file has the columns ``series``, ``n`` and ``ms``, a row for each point. A straight line of
slope one is linear growth, one of slope two is quadratic. Standard output gets an SVG picture.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 270, 20, 50
COLOURS = ("#b00020", "#e07000", "#00529b", "#1a7f37", "#6f42c1")

Points = list[tuple[float, float]]


def read(file: Path) -> dict[str, Points]:
    """Return the points of each series, in the order of the file."""
    series: dict[str, Points] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            series.setdefault(row["series"], []).append((float(row["n"]), float(row["ms"])))
    return series


class Axis:
    """A logarithmic axis over whole powers of ten, `start` and `end` in pixels."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """Return where a value stands."""
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self._start + part * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Return the powers of ten."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def draw(series: Mapping[str, Points]) -> Iterator[str]:
    """Yield the lines of the picture."""
    points = [point for of_series in series.values() for point in of_series]
    x = Axis([n for n, _ in points], LEFT, WIDTH - RIGHT)
    y = Axis([ms for _, ms in points], HEIGHT - BOTTOM, TOP)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">'
    )
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    for tick in x.ticks():
        at = x.at(tick)
        yield f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
        yield f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:g}</text>'
    for tick in y.ticks():
        at = y.at(tick)
        yield f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{tick:g} ms</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 12}">N each</text>'
    for number, (name, of_series) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{x.at(n):.1f},{y.at(ms):.1f}" for n, ms in of_series)
        yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for n, ms in of_series:
            yield f'<circle cx="{x.at(n):.1f}" cy="{y.at(ms):.1f}" r="3" fill="{colour}"/>'
        n, ms = of_series[-1]
        yield (
            f'<text x="{x.at(n) + 8:.1f}" y="{y.at(ms) + 4 + 12 * (number % 2):.1f}" '
            f'fill="{colour}">{escape(name)}</text>'
        )
    yield "</svg>"


def main(arguments: Sequence[str]) -> None:
    """Draw the file that the arguments name."""
    (file,) = arguments
    print("\n".join(draw(read(Path(file)))))


if __name__ == "__main__":
    main(sys.argv[1:])
