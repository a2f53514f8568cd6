"""An Avro reader made for some leading fields of one schema: the rest of a record is never looked at.

Restoring a ledger reads the head of every event of a topic; with a general reader that was most of its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from schemas.encoding import UnsupportedSchemaError

Read = Callable[[bytes, int], tuple[Any, ...]]
"""Takes a message and where the record begins in it, and returns the wanted fields in their order."""


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """Return the Avro int or long at ``at`` and where the next value begins."""
    shift = value = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no high bit
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def reader(schema: dict[str, Any], wanted: Sequence[str]) -> Read:
    """Return the function that reads the fields ``wanted`` of a record schema, in the order of the schema.

    Fields behind the last of them are not read, those between are skipped. Instants are given as milliseconds.

    Raises:
        UnsupportedSchemaError: a field up to the last wanted one is of a type that is not read here, or is missing.
    """
    lines = ["def read(b, p):"]
    left = list(wanted)
    for number, field in enumerate(schema["fields"]):
        if not left:
            break
        needed = field["name"] == left[0]
        lines += _value(field["type"], f"v{number}" if needed else None, "  ")
        if needed:
            left.pop(0)
    if left:
        raise UnsupportedSchemaError(f"no field {left[0]} in its place in {schema.get('name')}")
    numbers = {field["name"]: number for number, field in enumerate(schema["fields"])}
    lines.append(f"  return ({', '.join(f'v{numbers[name]}' for name in wanted)},)")
    names: dict[str, Any] = {"long": read_long}
    exec("\n".join(lines), names)  # noqa: S102 - generated from our own schema files; no name of theirs is in it
    read: Read = names["read"]
    return read


def _value(schema: Any, target: str | None, indent: str) -> list[str]:
    """Return the lines that read a value into ``target``, or step over it when that is None."""
    if isinstance(schema, list):
        if len(schema) != 2 or schema[0] != "null":  # noqa: PLR2004 - null and one other
            raise UnsupportedSchemaError(str(schema))
        inside = _value(schema[1], target, indent + "  ")
        otherwise = [f"{indent}else: {target} = None"] if target else []
        return [f"{indent}p += 1", f"{indent}if b[p - 1]:", *inside, *otherwise]
    kind = schema["type"] if isinstance(schema, dict) else schema
    match kind:
        case "boolean":
            return [f"{indent}{target} = b[p] == 1" if target else f"{indent}pass", f"{indent}p += 1"]
        case "int" | "long":
            if target:
                return [f"{indent}{target}, p = long(b, p)"]
            return [f"{indent}while b[p] > 127: p += 1", f"{indent}p += 1"]
        case "string":
            # A length below 64 is one byte, twice its value.
            lines = [
                f"{indent}n = b[p]",
                f"{indent}if n < 128: n >>= 1; p += 1",
                f"{indent}else: n, p = long(b, p)",
                f"{indent}p += n",
            ]
            return [*lines, f"{indent}{target} = b[p - n:p].decode()"] if target else lines
        case _:
            raise UnsupportedSchemaError(str(schema))
