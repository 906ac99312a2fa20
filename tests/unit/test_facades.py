"""`skerry.blocking` and `skerry.aio` have what the trio API has: the three never drift apart."""

import importlib
import inspect
from dataclasses import replace

import pytest

import skerry
from tools.facade_source import written_class
from tools.facade_table import IN_ANOTHER_FORM, SURFACES, Kind
from tools.facades import FLAVOURS, ROOT, generated

# What every class has, or what is not called by name.
COMMON = frozenset({"__init__", "__slots__", "__new__", "__class_getitem__", "__init_subclass__"})


def members_of(cls):
    """The members of a class and its own bases that applications use, with what they are."""
    found = {}
    for one in reversed(cls.__mro__):
        if not one.__module__.startswith("skerry."):
            continue
        for name, value in vars(one).items():
            # What notebooks ask for is public, too.
            is_special = name.endswith("_") and name.startswith(("__", "_repr_"))
            function = function_of(value)
            if function is None or name in COMMON or (name.startswith("_") and not is_special):
                continue
            if "Internal" not in (function.__doc__ or ""):
                found[name] = value
    return found


def function_of(value):
    if isinstance(value, property):
        return value.fget
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    return value if inspect.isfunction(value) else None


def kind_of(cls, name, value):
    """The kind that a member needs at least."""
    function = inspect.unwrap(function_of(value))
    if inspect.iscoroutinefunction(function):
        return Kind.ONCE if isinstance(value, staticmethod) else Kind.AWAIT
    returned = str(function.__annotations__.get("return", ""))
    named = getattr(function.__annotations__.get("return"), "__name__", returned).strip("'\"")
    module = importlib.import_module(cls.__module__)
    result = getattr(module, named.partition("[")[0].rpartition(".")[2], None)
    return Kind.STREAM if hasattr(result, "__anext__") else Kind.HERE


def missing(cls, surface):
    """A sentence for each member that the table should have and has not."""
    listed = {*surface.members, *surface.by_hand, *surface.left_out}
    return [
        f'{cls.__name__}.{name} is not in tools/facade_table.py; perhaps as "{name}": '
        f"{kind_of(cls, name, value).name}"
        for name, value in members_of(cls).items()
        if name not in listed
    ]


def trio_class(name):
    module = importlib.import_module(f"skerry.client.{SURFACES[name].source}")
    return getattr(module, name)


@pytest.mark.parametrize("name", SURFACES)
def test_every_member_of_the_trio_api_is_in_the_table(name):
    assert missing(trio_class(name), SURFACES[name]) == []


@pytest.mark.parametrize("name", SURFACES)
def test_nothing_else_is_in_the_table(name):
    surface, have = SURFACES[name], {*members_of(trio_class(name)), "__init__"}
    listed = {*surface.members, *surface.by_hand, *surface.left_out}
    assert listed - have == set()
    assert len(listed) == len(surface.members) + len(surface.by_hand) + len(surface.left_out)
    assert all(surface.left_out.values())


@pytest.mark.parametrize("name", SURFACES)
def test_every_kind_fits_its_member(name):
    cls = trio_class(name)
    members = members_of(cls)
    for member, kind in SURFACES[name].members.items():
        if kind is Kind.INIT:
            continue
        needed = kind_of(cls, member, members[member])
        fits = {Kind.HERE, Kind.THERE} if needed is Kind.HERE else {needed}
        assert kind in fits, f"{name}.{member} is {kind}, and needs {needed}"


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", SURFACES)
def test_the_facades_have_every_member_with_the_same_parameters(flavour, name):
    facade = getattr(importlib.import_module(f"skerry.{flavour}"), name)
    theirs = members_of(trio_class(name))
    for member in {*SURFACES[name].members, *SURFACES[name].by_hand} - {"__init__"}:
        if member in {"__aenter__", "__aexit__"} and flavour == "blocking":
            continue
        mine = inspect.getattr_static(facade, member)
        assert isinstance(mine, property) == isinstance(theirs[member], property), member
        if not isinstance(mine, property) and not member.startswith("__"):
            assert parameters(mine) == parameters(theirs[member]), member
        if SURFACES[name].members.get(member) is Kind.AWAIT:
            assert inspect.iscoroutinefunction(function_of(mine)) == (flavour == "aio"), member


def parameters(value):
    found = inspect.signature(inspect.unwrap(function_of(value))).parameters.values()
    return [(one.name, one.kind, one.default) for one in found if one.name not in {"self", "cls"}]


def test_every_class_that_waits_has_facades():
    waiting = []
    for name in skerry.__all__:
        cls = getattr(skerry, name)
        if inspect.isclass(cls) and name not in SURFACES and name not in IN_ANOTHER_FORM:
            kinds = {kind_of(cls, member, value) for member, value in members_of(cls).items()}
            if kinds - {Kind.HERE}:
                waiting.append(name)
    assert waiting == [], "these are in skerry.__all__ and need an entry in tools/facade_table.py"


def test_what_is_written_is_what_would_be_written_now():
    stale = [path for path, text in generated().items() if (ROOT / path).read_text("utf-8") != text]
    assert stale == [], "run `python -m tools.facades`"


class Planted(skerry.User):
    """A user with more members."""

    def planted(self) -> int:
        """Return something."""
        return 1

    async def planted_later(self) -> int:
        """Return something."""
        return 1

    def planted_internal(self) -> int:
        """Return something. Internal."""
        return 1


Planted.__module__ = "skerry.client.user"


def test_a_new_member_is_reported_with_its_kind():
    assert missing(Planted, SURFACES["User"]) == [
        'Planted.planted is not in tools/facade_table.py; perhaps as "planted": HERE',
        'Planted.planted_later is not in tools/facade_table.py; perhaps as "planted_later": AWAIT',
    ]


def test_a_member_that_is_gone_is_reported():
    surface = replace(SURFACES["User"], members={"gone": Kind.HERE})
    with pytest.raises(LookupError, match="User has no gone"):
        written_class(ROOT, "aio", "User", surface)
