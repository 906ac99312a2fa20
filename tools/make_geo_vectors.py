"""Writes ``tests/vectors/geo/within.jsonl`` with Google's S2 as the oracle.

Run it as ``python -m tools.make_geo_vectors`` where the package ``s2geometry`` (0.14) is installed,
which nothing else of the project needs; its output is committed and the same each time. A line has
a region (``circle``: centre and radius; ``box``: two corners; ``polygon``: rings) and either the
points that S2 finds ``in`` and ``out`` of it, or neither, which says that the region is invalid.
Coordinates are texts of longitude, latitude, longitude, and so on: no JSON reader rounds them.
Vertices that repeat the one before are dropped before S2 is asked, as the engine does. What it does
not do: ask about holes that touch the outer ring twice, which only the engine refuses.
"""

from __future__ import annotations

import importlib
import json
import math
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parent.parent / "tests" / "vectors" / "geo" / "within.jsonl"
SEED = 19700424
Place = tuple[float, float]
Ring = list[Place]

s2: Any = importlib.import_module("s2geometry")


def vector(place: Place) -> Any:  # noqa: ANN401 (S2 comes without types)
    """The point of S2, as the engine makes it."""
    return s2.S2LatLng.FromDegrees(place[1], place[0]).Normalized().ToPoint()


def degrees(point: Any) -> Place:  # noqa: ANN401
    """The longitude and latitude of a point of S2."""
    position = s2.S2LatLng(point)
    return position.lng().degrees(), position.lat().degrees()


def moved(start: Place, angle: float, bearing: float) -> Place:
    """The place at this angle (radians) from another."""
    lat = math.radians(start[1])
    to = math.asin(
        max(-1.0, min(1.0, math.sin(lat) * math.cos(angle)
                      + math.cos(lat) * math.sin(angle) * math.cos(bearing)))
    )  # fmt: skip
    east = math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(lat),
        math.cos(angle) - math.sin(lat) * math.sin(to),
    )
    lng = (start[0] + math.degrees(east) + 540.0) % 360.0 - 180.0
    return lng, math.degrees(to)


def anywhere(rng: random.Random) -> Place:
    """A place, evenly over the sphere, or one of those where things go wrong."""
    if rng.random() < 0.3:
        lng = rng.choice([0.0, 90.0, -90.0, 180.0, -180.0, 45.0, 179.999])
        return lng, rng.choice([0.0, 90.0, -90.0, 89.999, -89.9, 45.0])
    return rng.uniform(-180.0, 180.0), math.degrees(math.asin(rng.uniform(-1.0, 1.0)))


def shortened(rng: random.Random, ring: Ring) -> Ring:
    """Some rings as people write them, with a few decimals."""
    digits = rng.choice([None, None, None, 6, 3])
    return ring if digits is None else [(round(x, digits), round(y, digits)) for x, y in ring]


def star(rng: random.Random, center: Place, size: float, count: int) -> Ring:
    """A ring around a place, in either direction, not closed."""
    jitter = rng.choice([0.3, 0.9, 3.0])
    bearings = sorted(
        (i + rng.uniform(0, jitter)) % count * 2 * math.pi / count for i in range(count)
    )
    ring = [moved(center, size * rng.uniform(0.4, 1.0), bearing) for bearing in bearings]
    return ring if rng.random() < 0.5 else ring[::-1]


def loop_of(ring: Ring) -> Any | None:  # noqa: ANN401
    """The loop, turned to its smaller side; nothing if S2 finds it invalid."""
    vectors = [vector(place) for place in ring]
    places = [(point.x(), point.y(), point.z()) for point in vectors]
    loop = s2.S2Loop()
    loop.Init([point for i, point in enumerate(vectors) if places[i] != places[i - 1]])
    if loop.num_vertices() < 3 or not loop.IsValid():
        return None
    loop.Normalize()
    return loop


def polygon_of(rings: list[Ring]) -> Any | None:  # noqa: ANN401
    """The polygon; nothing if S2 finds it invalid or not one ring with holes."""
    loops = [loop for ring in rings if (loop := loop_of(ring)) is not None]
    if len(loops) < len(rings) or any(not loops[0].Contains(hole) for hole in loops[1:]):
        return None
    polygon = s2.S2Polygon()
    polygon.InitNested([loop.Clone() for loop in loops])
    depths = [polygon.loop(i).depth() for i in range(polygon.num_loops())]
    if not polygon.IsValid() or sorted(depths) != [0] + [1] * (len(rings) - 1):
        return None
    return polygon


def probes(rng: random.Random, rings: list[Ring], spread: float) -> Iterator[Place]:
    """Points in and around a polygon, and on its border as closely as numbers allow."""
    for ring in rings:
        chosen = rng.sample(range(len(ring)), min(4, len(ring)))
        for index in chosen:
            a, b = ring[index], ring[(index + 1) % len(ring)]
            yield a
            yield (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
            yield degrees(s2.Interpolate(vector(a), vector(b), rng.random()))
            yield math.nextafter(a[0], rng.choice([-180.0, 180.0])), a[1]
            yield moved(a, spread * 10 ** rng.uniform(-12, 0), rng.uniform(0.0, 7.0))
    yield anywhere(rng)
    yield rng.choice([(0.0, 90.0), (7.0, 90.0), (0.0, -90.0), (180.0, 0.0), (-180.0, 0.0)])


def text(places: list[Place]) -> str:
    """Numbers that read back as the same."""
    return " ".join(f"{x!r} {y!r}" for x, y in places)


def answers(region: Any, points: list[Place]) -> dict[str, str]:  # noqa: ANN401
    """What S2 says of the points."""
    points = [point for point in points if abs(point[0]) <= 180 and abs(point[1]) <= 90]
    inside = [point for point in points if region.Contains(vector(point))]
    outside = [point for point in points if not region.Contains(vector(point))]
    return {"in": text(inside), "out": text(outside)}


def polygon_line(rng: random.Random, rings: list[Ring], spread: float) -> dict[str, Any]:
    """The line of a polygon."""
    region = polygon_of(rings)
    line = {"polygon": [text([*ring, ring[0]]) for ring in rings]}
    return line if region is None else line | answers(region, list(probes(rng, rings, spread)))


def stars(rng: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Polygons of all sizes, some with holes, some of which are too large or overlap."""
    for _ in range(count):
        size = 10 ** rng.uniform(-8, 0.17)
        center = anywhere(rng)
        rings = [star(rng, center, size, rng.randint(3, 9))]
        if rng.random() < 0.5:
            inner = moved(center, size * 0.05, rng.uniform(0.0, 7.0))
            rings.append(star(rng, inner, size * rng.uniform(0.05, 0.25), rng.randint(3, 5)))
        if rng.random() < 0.25:
            inner = moved(center, size * 0.25, rng.uniform(0.0, 7.0))
            rings.append(star(rng, inner, size * 0.1, rng.randint(3, 4)))
        if size > 1e-3:
            rings = [shortened(rng, ring) for ring in rings]
        if len(rings) > 1 and rng.random() < 0.2:
            rings[1][0] = rng.choice(rings[0])
        yield polygon_line(rng, rings, size)


def lattice(rng: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Polygons whose vertices are in line with each other, on meridians and the equator."""
    for _ in range(count):
        step = rng.choice([0.001, 1.0, 1.0, 10.0, 30.0, 45.0])
        x, y = rng.choice([(0.0, 0.0), (0.0, 0.0), (180.0, 0.0), (90.0, 0.0), (0.0, 60.0)])
        places: Ring = []
        while len(places) < rng.choice([3, 4, 4, 5]):
            place = (x + step * rng.randint(-2, 2), y + step * rng.randint(-1, 1))
            place = ((place[0] + 180.0) % 360.0 - 180.0, max(-90.0, min(90.0, place[1])))
            if place not in places:
                places.append(place)
        yield polygon_line(rng, [places], math.radians(step))


def boxes(rng: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Boxes of all sizes, also those of two different vertices."""
    for _ in range(count):
        a, b = anywhere(rng), anywhere(rng)
        if rng.random() < 0.6:
            size = 10 ** rng.uniform(-6, 1.5)
            b = (a[0] + size * rng.uniform(-1, 1), a[1] + size * rng.uniform(-1, 1))
        elif rng.random() < 0.1:
            b = (a[0], b[1])
        b = (max(-180.0, min(180.0, b[0])), max(-90.0, min(90.0, b[1])))
        a, b = shortened(rng, [a, b])
        ring = [a, (a[0], b[1]), b, (b[0], a[1])]
        region = polygon_of([ring])
        line = {"box": text([a, b])}
        found = {} if region is None else answers(region, list(probes(rng, [ring], 0.1)))
        yield line | found


def circles(rng: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Circles of all radiuses, with points close to their borders."""
    for _ in range(count):
        center = anywhere(rng)
        radius = rng.choice([0.0, math.pi, 4.0, math.pi / 2, 1e-15, *(
            10 ** rng.uniform(-9, 0.5) for _ in range(20))])  # fmt: skip
        points = [center, anywhere(rng), (-center[0], -center[1])]
        for _ in range(8):
            factor = 1 + rng.choice([0.0, 1e-15, -1e-15, 0.1, -0.1]) * rng.random()
            points.append(moved(center, min(radius, math.pi) * factor, rng.uniform(0.0, 7.0)))
        cap = s2.S2Cap(vector(center), s2.S1Angle.Radians(radius))
        yield {"circle": text([center]), "radius": repr(radius)} | answers(cap, points)


def main() -> None:
    """Writes the file."""
    rng = random.Random(SEED)
    lines = [
        *stars(rng, 150), *lattice(rng, 120), *boxes(rng, 70), *circles(rng, 60),
    ]  # fmt: skip
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
