"""The golden changesets, decoded by the msgpack package and a reader written from the document.

It shares no code with the codec in Rust: what ``docs/changeset-format.md`` says must be enough to
read the bytes. Only valid vectors are read; that the others are refused is the codec's own test.
"""

from __future__ import annotations

import decimal
import json
import struct
import uuid
from pathlib import Path

import msgpack
import pytest

FOLDER = Path(__file__).parent.parent / "vectors" / "changeset"

NAMES = [
    "AddTable", "EraseTable", "CreateObject", "EraseObject", "Update", "AddInteger", "AddColumn",
    "EraseColumn", "ArrayInsert", "ArrayMove", "ArrayErase", "Clear", "SetInsert", "SetErase",
]  # fmt: skip
TYPES = {
    -1: "globalKey", 0: "mixed", 1: "int", 2: "bool", 3: "string", 4: "data", 5: "date",
    6: "float", 7: "double", 8: "decimal128", 9: "object", 10: "objectId", 11: "uuid",
}  # fmt: skip
COLLECTIONS = ["single", "list", "dictionary", "set"]
MARKS = {-2: "ObjectValue", -3: "Dictionary", -4: "Erased", -5: "List"}
SAME_OBJECT, HAS_PATH, IS_DEFAULT = 0x10, 0x20, 0x40


def cases():
    for file in ("schema", "objects", "payloads", "paths"):
        for case in json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8")):
            yield pytest.param(case, id=f"{file}: {case['name']}")


@pytest.mark.parametrize("case", list(cases()))
def test_bytes_are_what_is_described(case):
    decoded = ChangesetReader(bytes.fromhex(case["hex"])).instructions()
    assert decoded == [with_doubles(described) for described in case["instructions"]]


def with_doubles(described):
    """msgpack widens floats: both are compared as the double that they are."""
    match described.get("value"):
        case {"float": bits}:
            (number,) = struct.unpack(">f", bytes.fromhex(bits))
        case {"double": bits}:
            (number,) = struct.unpack(">d", bytes.fromhex(bits))
        case _:
            return described
    return {**described, "value": {"real": repr(number)}}


class ChangesetReader:
    def __init__(self, data):
        self.table, self.encoded, self.object = [], [], None
        if data:
            version, self.table, *self.encoded = msgpack.unpackb(data, strict_map_key=True)
            assert version == 1

    def instructions(self):
        return [self.instruction(op, arguments) for op, *arguments in self.encoded]

    def instruction(self, op, arguments):
        name = NAMES[op & 0x0F]
        arguments = iter(arguments)
        fields = {"instruction": name}
        if name in {"AddTable", "EraseTable", "AddColumn", "EraseColumn"}:
            fields |= self.schema_fields(name, arguments)
        else:
            fields |= self.object_fields(op, arguments)
            if name not in {"CreateObject", "EraseObject"}:
                fields |= self.path_fields(op, name, arguments)
        assert list(arguments) == []
        return fields

    def schema_fields(self, name, arguments):
        fields = {"class": self.table[next(arguments)]}
        if name == "AddTable":
            fields["kind"] = ["topLevel", "embedded", "asymmetric"][next(arguments)]
            if fields["kind"] != "embedded":
                fields["pk_field"] = self.table[next(arguments)]
                fields["pk_type"] = TYPES[next(arguments)]
                fields["pk_nullable"] = next(arguments)
        elif name in {"AddColumn", "EraseColumn"}:
            fields["field"] = self.table[next(arguments)]
        if name == "AddColumn":
            fields["type"] = TYPES[next(arguments)]
            fields["nullable"] = next(arguments)
            fields["collection"] = COLLECTIONS[next(arguments)]
            is_link, is_dictionary = (
                fields["type"] == "object",
                fields["collection"] == "dictionary",
            )
            fields["target"] = self.table[next(arguments)] if is_link else None
            fields["key_type"] = TYPES[next(arguments)] if is_dictionary else None
        return fields

    def object_fields(self, op, arguments):
        if not op & SAME_OBJECT:
            self.object = {
                "class": self.table[next(arguments)],
                "key": self.key(next(arguments)),
            }
        return self.object

    def path_fields(self, op, name, arguments):
        fields = {"field": self.table[next(arguments)]}
        steps = next(arguments) if op & HAS_PATH else []
        fields["path"] = [step if step >= 0 else self.table[-1 - step] for step in steps]
        at_index = bool(steps) and steps[-1] >= 0
        match name:
            case "Update" | "ArrayInsert" | "SetInsert" | "SetErase":
                fields["value"] = self.payload(next(arguments))
            case "AddInteger":
                fields["value"] = next(arguments)
            case "ArrayMove":
                fields["to"] = next(arguments)
            case "Clear":
                fields["collection"] = COLLECTIONS[next(arguments)]
        if name.startswith("Array") or (name == "Update" and at_index):
            fields["prior_size"] = next(arguments)
        elif name == "Update":
            fields["is_default"] = bool(op & IS_DEFAULT)
        return fields

    def key(self, encoded):
        match encoded:
            case [index]:
                return {"string": self.table[index]}
            case msgpack.ExtType(code=7, data=data):
                return {"globalKey": list(struct.unpack(">QQ", data))}
        return self.payload(encoded)

    def payload(self, encoded):
        match encoded:
            case None:
                return {"null": None}
            case bool():
                return {"bool": encoded}
            case int():
                return {"int": encoded}
            case str():
                return {"string": encoded}
            case bytes():
                return {"binary": encoded.hex()}
            case float():
                return {"real": repr(encoded)}
            case msgpack.ExtType(code=code, data=data):
                return self.extension(code, data)
        raise AssertionError(f"not a payload: {encoded!r}")

    def extension(self, code, data):
        match code:
            case 1:
                layout = {4: ">i", 8: ">ii", 12: ">qi"}[len(data)]
                return {"timestamp": [*struct.unpack(layout, data), 0][:2]}
            case 2:
                return {"decimal": decimal_text(data)}
            case 3:
                return {"objectId": data.hex()}
            case 4:
                return {"uuid": str(uuid.UUID(bytes=data))}
            case 5:
                unpacker = msgpack.Unpacker()
                unpacker.feed(data)
                index, key = unpacker
                return {"link": {"class": self.table[index], "key": self.key(key)}}
            case 6:
                return {"mark": MARKS[struct.unpack("b", data)[0]]}
        raise AssertionError(f"unknown extension {code}")


def decimal_text(data):
    bits = int.from_bytes(data, "little")
    sign, special = bits >> 127, (bits >> 122) & 0b11111
    if special >= 0b11110:
        return "NaN" if special == 0b11111 else "-" * sign + "Infinity"
    coefficient = bits & (1 << 113) - 1
    exponent = ((bits >> 113) & 0x3FFF) - 6176
    return str(decimal.Decimal((sign, tuple(map(int, str(coefficient))), exponent)))
