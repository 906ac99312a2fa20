"""Regions of the earth, for queries: ``where(Place, "location GEOWITHIN $0", GeoCircle(...))``.

A place is an embedded object with the properties ``type``, which is ``"Point"``, and
``coordinates``, a list of doubles: longitude, latitude and, if need be, altitude, which queries
ignore. Degrees everywhere, save for the radius of a circle. Edges are the shortest lines on the
sphere.

The values only carry numbers: what lies in a region, and which rings enclose one, is decided in
Rust. They reach it in the text form of the query language, written here.
"""

import decimal
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

LATITUDE_MAX: Final = 90.0
LONGITUDE_MAX: Final = 180.0
RING_LENGTH_MIN: Final = 4

Position: TypeAlias = tuple[float, float]
"""Longitude and latitude."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoPoint:
    """A point of the earth.

    Args:
        latitude: Degrees north, -90 to 90.
        longitude: Degrees east, -180 to 180.

    Raises:
        ValueError: One is out of its range.
    """

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        _check_degrees("latitude", self.latitude, LATITUDE_MAX)
        _check_degrees("longitude", self.longitude, LONGITUDE_MAX)

    @property
    def position(self) -> Position:
        """Longitude and latitude, in the order of ``coordinates``."""
        return self.longitude, self.latitude


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoBox:
    """A region with the corners of a box, its edges the shortest lines between them.

    Args:
        top: Latitude of one side, -90 to 90.
        left: Longitude of another, -180 to 180.
        bottom: Latitude of the side across from `top`.
        right: Longitude of the side across from `left`.

    Raises:
        ValueError: One is out of its range.
    """

    top: float
    left: float
    bottom: float
    right: float

    def __post_init__(self) -> None:
        for name, latitude in (("top", self.top), ("bottom", self.bottom)):
            _check_degrees(name, latitude, LATITUDE_MAX)
        for name, longitude in (("left", self.left), ("right", self.right)):
            _check_degrees(name, longitude, LONGITUDE_MAX)

    def _to_rql(self) -> str:
        return box_text((self.left, self.bottom), (self.right, self.top))


@dataclass(frozen=True, slots=True)
class GeoCircle:
    """All that is not farther from a point than a radius.

    Args:
        center: The point.
        radius_in_radians: A distance on the surface divided by the radius of the earth, which is
            about 6371 km; 0 or more.

    Raises:
        ValueError: The radius is negative or no finite number.
    """

    center: GeoPoint
    radius_in_radians: float

    def __post_init__(self) -> None:
        if not 0 <= self.radius_in_radians < math.inf:
            raise ValueError(f"a radius is 0 or more and finite, not {self.radius_in_radians}")

    def _to_rql(self) -> str:
        return circle_text(self.center.position, self.radius_in_radians)


@dataclass(frozen=True, slots=True, init=False)
class GeoPolygon:
    """All that is inside of a ring and outside of holes in it.

    Args:
        outer: The ring: points, of which the last is the first. Their direction does not matter.
        holes: Rings inside of it.

    Raises:
        ValueError: A ring is not closed or has fewer than three different points. That rings do not
            cross themselves or each other is checked with the query.
    """

    outer: tuple[GeoPoint, ...]
    holes: tuple[tuple[GeoPoint, ...], ...]

    def __init__(self, outer: Iterable[GeoPoint], *holes: Iterable[GeoPoint]) -> None:
        object.__setattr__(self, "outer", tuple(outer))
        object.__setattr__(self, "holes", tuple(tuple(hole) for hole in holes))
        for ring in (self.outer, *self.holes):
            _check_ring(ring)

    def _to_rql(self) -> str:
        return polygon_text([point.position for point in r] for r in (self.outer, *self.holes))


GeoRegion: TypeAlias = GeoBox | GeoCircle | GeoPolygon
"""What stands on the right of GEOWITHIN."""


def region_text(region: GeoRegion) -> str:
    """Return the region as the query language writes it, which is also what an argument may be."""
    return region._to_rql()  # noqa: SLF001 - the three classes keep it for this function


def box_text(first: Position, second: Position) -> str:
    """Return a box by two opposite corners, in RQL."""
    return f"geoBox({_point_text(first)}, {_point_text(second)})"


def circle_text(center: Position, radius_in_radians: float) -> str:
    """Return a circle, in RQL."""
    return f"geoCircle({_point_text(center)}, {_number_text(radius_in_radians)})"


def polygon_text(rings: Iterable[Sequence[Position]]) -> str:
    """Return a polygon by its rings, the outer one first, in RQL."""
    shown = ("{" + ", ".join(_point_text(point) for point in ring) + "}" for ring in rings)
    return f"geoPolygon({', '.join(shown)})"


def _point_text(position: Position) -> str:
    longitude, latitude = position
    return f"[{_number_text(longitude)}, {_number_text(latitude)}]"


def _number_text(number: float) -> str:
    # The shortest digits that give the number back, always with a point: what has none may not be
    # negative in RQL.
    text = f"{decimal.Decimal(repr(float(number))):f}"
    return text if "." in text or not math.isfinite(number) else f"{text}.0"


def _check_degrees(name: str, degrees: float, limit: float) -> None:
    if not -limit <= degrees <= limit:
        raise ValueError(f"{name} is {-limit:g} to {limit:g} degrees, not {degrees}")


def _check_ring(ring: tuple[GeoPoint, ...]) -> None:
    if len(ring) < RING_LENGTH_MIN or len(set(ring)) < RING_LENGTH_MIN - 1:
        raise ValueError(f"a ring has at least three different points, not {len(set(ring))}")
    if ring[0] != ring[-1]:
        raise ValueError(f"the last point of a ring is its first, {ring[0]}, not {ring[-1]}")
