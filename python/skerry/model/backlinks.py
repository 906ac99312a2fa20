"""`Backlinks`: the annotation of attributes that give the objects which link to this one."""

from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T", covariant=True)


class Backlinks(Sequence[_T]):
    """The objects whose property links to this one; see `skerry.backlinks`.

    For a frozen object they are `Results` of the same version; for a live one, a list as of the
    moment of reading. An unmanaged object has none.
    """
