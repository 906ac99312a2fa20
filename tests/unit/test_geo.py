"""Regions: what is refused when they are made, and the text in which they reach a query."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry import (
    GeoBox,
    GeoCircle,
    GeoPoint,
    GeoPolygon,
    ObjectId,
    RealmObject,
    primary_key,
    where,
)
from skerry._core import check_query
from skerry.geo import region_text

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)
NUMBER = re.compile(r"-?\d+\.\d+")

PLACES = json.dumps(
    [
        {
            "name": "Place",
            "primary_key": "_id",
            "properties": [
                {"name": "_id", "type": "objectId", "nullable": False},
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


class Place(RealmObject):
    _id: ObjectId = primary_key(default_factory=ObjectId)


def point(longitude, latitude):
    return GeoPoint(longitude=longitude, latitude=latitude)


TRIANGLE = [point(0, 0), point(2, 0), point(2, 2), point(0, 0)]
HOLE = [point(1, 0.5), point(1.5, 0.5), point(1.5, 1), point(1, 0.5)]


def numbers(region):
    """The numbers in the text of a region, every one of which must be written with a point."""
    text = region_text(region)
    assert re.sub(NUMBER, "", text).count(".") == 0
    assert not re.search(r"\d", re.sub(NUMBER, "", text)), text
    return [float(each) for each in NUMBER.findall(text)]


@given(longitude=LONGITUDES, latitude=LATITUDES, radius=st.floats(0, 4))
def test_numbers_are_written_exactly(longitude, latitude, radius):
    region = GeoCircle(point(longitude, latitude), radius)
    assert numbers(region) == [longitude, latitude, radius]
    check_query(PLACES, "Place", "at GEOWITHIN $0", [region_text(region)])


def test_the_order_is_that_of_coordinates():
    assert region_text(GeoBox(top=4, left=1, bottom=2, right=3)) == "geoBox([1.0, 2.0], [3.0, 4.0])"
    assert region_text(GeoCircle(point(1, -2), 0)) == "geoCircle([1.0, -2.0], 0.0)"
    assert point(1, 2).position == (1, 2)
    assert region_text(GeoPolygon(TRIANGLE, HOLE)) == (
        "geoPolygon({[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 0.0]}, "
        "{[1.0, 0.5], [1.5, 0.5], [1.5, 1.0], [1.0, 0.5]})"
    )


@pytest.mark.parametrize(
    "region",
    [
        GeoBox(top=-1e-7, left=-180, bottom=90, right=1e-300),
        GeoCircle(point(-0.0, 5), 1e-9),
        GeoPolygon(TRIANGLE),
        GeoPolygon(iter(TRIANGLE), iter(HOLE)),
    ],
)
def test_regions_are_arguments_of_queries(region):
    query = where(Place, "at GEOWITHIN $0", region)
    text = check_query(PLACES, query.class_name, query.text, query.arguments)
    assert check_query(PLACES, query.class_name, text, []) == text


@pytest.mark.parametrize("degrees", [90.1, -90.1, math.nan, math.inf])
def test_latitudes_end_at_the_poles(degrees):
    with pytest.raises(ValueError, match="latitude is -90 to 90 degrees"):
        GeoPoint(latitude=degrees, longitude=0)
    for side in ("top", "bottom"):
        sides = {"top": 1, "left": 0, "bottom": 0, "right": 1} | {side: degrees}
        with pytest.raises(ValueError, match=f"{side} is -90 to 90 degrees"):
            GeoBox(**sides)


@pytest.mark.parametrize("degrees", [180.1, -180.1, math.nan, -math.inf])
def test_longitudes_go_half_around(degrees):
    with pytest.raises(ValueError, match="longitude is -180 to 180 degrees"):
        GeoPoint(latitude=0, longitude=degrees)
    for side in ("left", "right"):
        sides = {"top": 1, "left": 0, "bottom": 0, "right": 1} | {side: degrees}
        with pytest.raises(ValueError, match=f"{side} is -180 to 180 degrees"):
            GeoBox(**sides)


@pytest.mark.parametrize("radius", [-1e-9, math.nan, math.inf])
def test_a_radius_is_a_distance(radius):
    with pytest.raises(ValueError, match="a radius is 0 or more"):
        GeoCircle(point(0, 0), radius)


def test_rings_are_closed_and_enclose_something():
    with pytest.raises(ValueError, match="the last point of a ring is its first"):
        GeoPolygon([*TRIANGLE[:-1], point(0, 1)])
    for ring in ([], TRIANGLE[:-1], [TRIANGLE[0], TRIANGLE[1], TRIANGLE[0], TRIANGLE[0]]):
        with pytest.raises(ValueError, match="at least three different points"):
            GeoPolygon(ring)
        with pytest.raises(ValueError, match="at least three different points"):
            GeoPolygon(TRIANGLE, ring)


def test_regions_are_values():
    assert GeoPolygon(TRIANGLE, HOLE) == GeoPolygon(iter(TRIANGLE), tuple(HOLE))
    assert len({GeoPolygon(TRIANGLE), GeoPolygon(TRIANGLE), GeoCircle(point(0, 0), 1)}) == 2
    with pytest.raises(AttributeError):
        point(0, 0).latitude = 1
