"""Results as tables of pyarrow, pandas and polars, none of which is needed for anything else.

All three read Arrow record batches through the PyCapsule interface, so no object is made for a
row. This module imports them when asked to; which type a property has is decided in Rust.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

TimestampUnit: TypeAlias = Literal["ns", "us", "ms", "s"]
"""What dates are counted in. "ns" reaches from 1677 to 2262; the others cut towards 1970."""


class ArrowStream(Protocol):
    """Whatever has record batches for others."""

    def __arrow_c_schema__(self) -> object:
        """Return the schema, as a capsule named "arrow_schema"."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the batches, as a capsule named "arrow_array_stream"."""


def to_pyarrow(source: ArrowStream) -> "pyarrow.Table":
    """Return a pyarrow table.

    Raises:
        ImportError: pyarrow is not installed.
    """
    return _imported("pyarrow", "to_pyarrow").table(source)


def to_pandas(source: ArrowStream) -> "pandas.DataFrame":
    """Return a pandas data frame, made by pyarrow.

    Raises:
        ImportError: pandas or pyarrow is not installed.
    """
    _imported("pandas", "to_pandas")
    return _imported("pyarrow", "to_pandas").table(source).to_pandas()


def to_polars(source: ArrowStream) -> "polars.DataFrame":
    """Return a polars data frame.

    Raises:
        ImportError: polars is not installed.
    """
    return _imported("polars", "to_polars").DataFrame(source)  # type: ignore[no-any-return]


def _imported(name: str, caller: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{caller} needs {name}: pip install {name}", name=name) from error
