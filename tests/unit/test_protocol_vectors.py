"""The recorded conversations, decoded by the msgpack package and the tables of the document.

It shares no code with the codec in Rust: what ``docs/protocol.md`` says must be enough to read the
frames, and packing what was read must give the same bytes (the canonical form).
"""

import json
import re
from pathlib import Path

import msgpack
import pytest

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "tests" / "vectors" / "protocol").glob("*.json"))

INT = range(-(2**63), 2**63)
NATURAL = range(2**63)


def test_there_are_vectors():
    assert {file.stem for file in FILES} >= {
        "new_file",
        "compensating_write",
        "pause_and_resume",
        "errors",
    }


def frames():
    for file in FILES:
        for number, frame in enumerate(json.loads(file.read_text(encoding="utf-8"))["frames"]):
            yield pytest.param(frame, id=f"{file.stem} {number} {frame['message']}")


def message_tables():
    """Code to (sender, name, fields) from sections 2 and 3; a field is (name, type)."""
    document = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    messages = {}
    for sender, section in [("client", "2"), ("server", "3")]:
        text = document.split(f"\n## {section}. ")[1].split("\n## ")[0]
        for code, name, fields in re.findall(r"^\| (\d+) \| (\w+) \| (.*) \|$", text, re.MULTILINE):
            without_remarks = re.sub(r"\(.*?\)", "", fields)
            found = re.findall(r"`(\w+)`(?: or 0)?(?: ([^,:]+(?:: \w+\})?))?", without_remarks)
            typed = [(field, kind.split(" in ")[0].strip()) for field, kind in found]
            messages[int(code)] = (sender, name, typed)
    return messages


MESSAGES = message_tables()

ENTRY_TYPES = {
    "UploadEntry": ["ver", "ver", "int", "int", "bin"],
    "DownloadEntry": ["ver", "ver", "int", "int", "ver", "bin"],
    "Backoff": ["ver", "ver", "ver"],
    "RejectedUpdate": ["str", "str", "key"],
}


def fits(value, kind):
    """Whether a decoded value is of a type of the document's notation."""
    if kind.endswith("?"):
        return value is None or fits(value, kind[:-1])
    if kind.startswith("["):
        return isinstance(value, list) and all(fits(item, kind[1:-1]) for item in value)
    if kind in ENTRY_TYPES:
        types = ENTRY_TYPES[kind]
        return len(value) == len(types) and all(map(fits, value, types))
    if kind == "{str: str}":
        names = list(value)
        return names == sorted(names, key=str.encode) and all(
            isinstance(text, str) for pair in value.items() for text in pair
        )
    is_int = isinstance(value, int) and not isinstance(value, bool)
    checks = {
        "": is_int and value in NATURAL,  # the session
        "int": is_int and value in INT,
        "int ≥ 2": is_int and value >= 2,
        "int > 0": is_int and value > 0,
        "ver": is_int and value in NATURAL,
        "bool": isinstance(value, bool),
        "str": isinstance(value, str),
        "bin": isinstance(value, bytes),
        "f64": isinstance(value, float),
        "key": value is None or is_int or isinstance(value, str | msgpack.ExtType),
    }
    return checks[kind]


def described(value):
    """A decoded value as the records describe it."""
    match value:
        case bytes():
            return {"bin": value.hex()}
        case float():
            return {"f64": value}
        case msgpack.ExtType():
            return {"ext": [value.code, value.data.hex()]}
        case dict():
            return {"map": [[described(k), described(v)] for k, v in value.items()]}
        case list():
            return [described(item) for item in value]
        case _:
            return value


@pytest.mark.parametrize("frame", list(frames()))
def test_frame_is_what_is_described(frame):
    data = bytes.fromhex(frame["hex"])
    value = msgpack.unpackb(data, strict_map_key=True)
    assert described(value) == frame["fields"]
    assert msgpack.packb(value) == data, "the shortest form of everything"


@pytest.mark.parametrize("frame", list(frames()))
def test_frame_is_what_the_document_says(frame):
    code, *values = msgpack.unpackb(bytes.fromhex(frame["hex"]))
    sender, name, fields = MESSAGES[code]
    assert (sender, name) == (frame["from"], frame["message"])
    assert len(values) == len(fields), fields
    for value, (field, kind) in zip(values, fields, strict=True):
        assert fits(value, kind), f"{field} {kind}: {value!r}"


def test_every_message_of_the_document_was_read():
    names = {(sender, name) for sender, name, _ in MESSAGES.values()}
    assert len(names) == len(MESSAGES) == 16
    recorded = {
        (frame["from"], frame["message"])
        for file in FILES
        for frame in json.loads(file.read_text(encoding="utf-8"))["frames"]
    }
    assert recorded == names, "a message without a vector"
