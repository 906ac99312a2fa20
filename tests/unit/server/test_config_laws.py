"""Whatever stands in a configuration file, loading it gives a configuration or a refusal."""

import copy
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.server.config import core_config_json, load_config
from skerry.server.errors import ConfigurationError
from tests.unit.server.fakes import FILES, write_config

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-1, 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the path of every value inside a JSON value, itself included."""
    found = [path]
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(member, (*path, key))
    return found


def refusal_of(root: Path) -> ConfigurationError | None:
    """Load a configuration and make the engine's document of it; anything else raised escapes."""
    try:
        json.loads(core_config_json(load_config(root)))
    except ConfigurationError as error:
        return error
    return None


ALL_PLACES = [(file, place) for file, content in FILES.items() for place in places(content)]


@settings(max_examples=300)
@given(where=st.sampled_from(ALL_PLACES), value=json_values)
def test_any_value_anywhere_is_taken_or_refused_with_its_file(where, value):
    file, place = where
    content = copy.deepcopy(FILES[file])
    if place:
        target = content
        for key in place[:-1]:
            target = target[key]
        target[place[-1]] = value
    else:
        content = [value]
    with tempfile.TemporaryDirectory() as folder:
        root = write_config(Path(folder), {file: json.dumps(content)})
        refusal = refusal_of(root)
        if refusal is not None:
            assert refusal.file in {*FILES, "data_sources/main"}
            assert refusal.key
            assert refusal.reason


@given(data=st.binary(max_size=200), file=st.sampled_from(["skerry.toml", *FILES]))
def test_any_bytes_in_any_file_are_taken_or_refused(data, file):
    with tempfile.TemporaryDirectory() as folder:
        root = write_config(Path(folder))
        (root / file).write_bytes(data)
        refusal = refusal_of(root)
        assert refusal is None or refusal.file == file


def test_file_that_cannot_be_read_is_refused(tmp_path):
    root = write_config(tmp_path)
    (root / "sync/config.json").unlink()
    (root / "sync/config.json").mkdir()
    with pytest.raises(ConfigurationError, match=r"sync/config\.json: \(file\): cannot be read"):
        load_config(root)
