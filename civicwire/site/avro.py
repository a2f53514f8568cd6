"""The fields of an Avro file as a table."""

from __future__ import annotations

import json
from typing import Any

from civicwire.site.markdown import block, code, escaped, folded, table
from schemas import loader


def fields(schema: dict[str, Any], *, but: str = "") -> str:
    """Return a table of a record's fields, without the one that is named ``but``."""
    rows = [
        (code(field["name"]), kind(field["type"]), _default(field), escaped(field.get("doc", "")))
        for field in schema["fields"]
        if field["name"] != but
    ]
    return table(("field", "type", "default", "what it is"), rows)


def kind(avro: Any) -> str:
    """Return an Avro type in a word or two, ``or null`` where it may be missing."""
    if isinstance(avro, list):
        others = [kind(one) for one in avro if one != "null"]
        return " or ".join([*others, *(["null"] if "null" in avro else [])])
    if isinstance(avro, str):
        return avro
    match avro["type"]:
        case "map":
            return f"map of {kind(avro['values'])}"
        case "array":
            return f"array of {kind(avro['items'])}"
        case "record" | "enum":
            return escaped(avro["name"])
        case plain:
            return str(avro.get("logicalType", plain))


def file(name: str) -> str:
    """Return the file of the schema ``name`` as it is, to be opened."""
    return folded(f"schemas/{name}.avsc", block(loader.text(name), "json"))


def _default(field: dict[str, Any]) -> str:
    return code(json.dumps(field["default"])) if "default" in field else ""
