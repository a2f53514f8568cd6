"""Load the Avro files of this folder."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import fastavro

from schemas.errors import ConfigError

FOLDER = Path(__file__).parent


@cache
def text(name: str) -> str:
    """Return the schema file ``<name>.avsc`` as text; ``raw/<source>`` names a feed's raw event.

    Raises:
        ConfigError: there is no such file.
    """
    path = FOLDER / f"{name}.avsc"
    if not path.is_file():
        raise ConfigError(f"There is no schema {name!r}: add schemas/{name}.avsc.")
    return path.read_text(encoding="utf-8")


@cache
def document(name: str) -> dict[str, Any]:
    """Return the schema ``name`` as plain JSON values."""
    loaded: dict[str, Any] = json.loads(text(name))
    return loaded


@cache
def parsed(name: str) -> Any:
    """Return the schema ``name`` parsed by fastavro, for encoding and decoding."""
    return fastavro.parse_schema(document(name))


def field_names(name: str) -> list[str]:
    """Return the names of the schema's top-level fields, in order."""
    return [field["name"] for field in document(name)["fields"]]
