"""geoWithin from Python against Google's S2, by whose rules the original engine decides."""

import json
import math

import pytest
import s2geometry as s2
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry._core import RealmFile
from skerry.geo import GeoBox, GeoCircle, GeoPoint, GeoPolygon, region_text

from .conftest import write

_SCHEMA = json.dumps(
    [
        {
            "name": "Place",
            "primary_key": "_id",
            "properties": [
                {"name": "_id", "type": "int", "nullable": False},
                {"name": "at", "type": "object", "nullable": True, "target": "Point"},
            ],
        },
        {
            "name": "Point",
            "embedded": True,
            "properties": [
                {"name": "type", "type": "string", "nullable": False},
                {
                    "name": "coordinates",
                    "type": "double",
                    "nullable": False,
                    "collection": "list",
                },
            ],
        },
    ]
)
_LATITUDES = range(-90, 91, 9)
_LONGITUDES = range(-180, 181, 12)
_POINTS = [(lat + 0.5 * (lat < 0), lon * 0.999) for lat in _LATITUDES for lon in _LONGITUDES]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    path = tmp_path_factory.mktemp("geo") / "places.realm"
    made = RealmFile.open(str(path), _SCHEMA, synced=False, synchronous="normal")

    def fill(txn):
        for key, (latitude, longitude) in enumerate(_POINTS):
            txn.create("Place", key, [], [], "error")
            txn.set_embedded("Place", key, "at")
            txn.set("Place", key, ["at", "type"], "Point")
            for index, degrees in enumerate((longitude, latitude)):
                txn.list_insert("Place", key, ["at", "coordinates"], index, float(degrees))

    write(made, fill)
    taken = made.snapshot()
    yield taken
    taken.close()
    made.close()


def found(snapshot, region):
    rows = snapshot.query("Place", "at geoWithin $0", [region_text(region)])
    return {row[0] for row in rows}


def s2_point(latitude, longitude):
    return s2.S2LatLng.FromDegrees(latitude, longitude).Normalized().ToPoint()


def expected(contains):
    return {key for key, point in enumerate(_POINTS) if contains(s2_point(*point))}


def loop(corners):
    made = s2.S2Loop()
    made.Init([s2_point(*corner) for corner in corners])
    made.Normalize()
    return made


@settings(max_examples=60)
@given(st.floats(-89, 89), st.floats(-179, 179), st.floats(0, math.pi, exclude_max=True))
def test_circles_are_caps(snapshot, latitude, longitude, radius):
    cap = s2.S2Cap(s2_point(latitude, longitude), s2.S1Angle.Radians(radius))
    center = GeoPoint(latitude=latitude, longitude=longitude)
    assert found(snapshot, GeoCircle(center, radius)) == expected(cap.Contains)


@settings(max_examples=60)
@given(st.floats(-80, 60), st.floats(-170, 100), st.floats(1, 20), st.floats(1, 60))
def test_boxes_are_loops_of_their_corners(snapshot, south, west, height, width):
    north, east = south + height, west + width
    corners = [(south, west), (south, east), (north, east), (north, west)]
    box = GeoBox(top=north, left=west, bottom=south, right=east)
    assert found(snapshot, box) == expected(loop(corners).Contains)


@settings(max_examples=60)
@given(
    st.floats(-40, 40),
    st.floats(-180, 180),
    st.lists(st.floats(5, 40), min_size=3, max_size=9),
    st.booleans(),
)
def test_polygons_are_loops_less_their_holes(snapshot, latitude, longitude, radii, has_hole):
    def ring(scale):
        turn = 2 * math.pi / len(radii)
        return [
            (
                latitude + scale * radius * math.sin(number * turn),
                math.remainder(longitude + scale * radius * math.cos(number * turn), 360),
            )
            for number, radius in enumerate(radii)
        ]

    def points(corners):
        closed = [*corners, corners[0]]
        return [GeoPoint(latitude=lat, longitude=lon) for lat, lon in closed]

    outer, inner = ring(1.0), ring(0.3)
    outside, hole = loop(outer), loop(inner)
    if not (outside.IsValid() and hole.IsValid() and outside.Contains(hole)):
        return
    region = GeoPolygon(points(outer), *([points(inner)] if has_hole else []))
    wanted = expected(outside.Contains)
    if has_hole:
        wanted -= expected(hole.Contains)
    assert found(snapshot, region) == wanted
