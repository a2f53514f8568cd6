"""A dataset whose every text tries to break out of the file that it is written into."""

from __future__ import annotations

from typing import Any

import yaml

HOSTILE = (
    '\'); drop table "incidents"; --',
    'key: evil"\n# }} {{ category }} {% x %}',
    "*/ -- /* ' || '",
    "!!python/object/apply:os.system ['true']",
    "- &a [*a, {b: c}] # \\",
    '=cmd|"x",\t\u2028\u0085\u202e\u0007',
    "<script>alert('🚓')</script>",
    "%_ ${HOME} $(id) `id`",
)
"""Quotes, line ends of every kind, and the syntax of SQL, YAML, templates, shells and spreadsheets."""


def description(name: str, protocol: str, address: str) -> str:
    """The dataset for the sandbox portal: hostile title, licence, column names, descriptions and codes."""
    # A CSV file's header is one line.
    names = [text if protocol == "ckan" else " ".join(text.split()) for text in HOSTILE]
    columns: list[dict[str, Any]] = [
        {"name": f"case no {HOSTILE[0]}", "description": HOSTILE[1], "examples": ["C'1\"-1000"]},
        {"name": f"occurred {HOSTILE[2]}", "description": HOSTILE[0], "time": "%Y-%m-%d %H:%M:%S"},
        {"name": f"offense 'code' {HOSTILE[3]}", "title": HOSTILE[1], "examples": [*HOSTILE, "a,b", "100%", None]},
        {"name": f"status {HOSTILE[7]}", "examples": ["open'", 'closed"; --']},
        {"name": "beat;--", "examples": ["A'1", "{{ status }}"]},
        *({"name": text, "title": text, "description": text, "examples": [text, None]} for text in names),
        {"name": "select", "examples": ["row"]},
        {"name": "`row`", "examples": ["1"]},
        {"name": "Niñu ŁÓDŹ 🚓", "examples": ["x"]},
        {"name": "ninu lodz", "examples": ["x"]},
        *({"name": f"{word} {'of a very long name ' * 9}", "examples": ["1.5"]} for word in ("latitude", "longitude")),
        {"name": f"domestic {'and so on ' * 20}", "examples": ["Y", "N"]},
    ]
    first, second, third, fourth, fifth = (column["name"] for column in columns[:5])
    return yaml.safe_dump(
        {
            "name": name,
            "title": HOSTILE[1],
            "description": HOSTILE[0] + HOSTILE[6],
            "licence": HOSTILE[3],
            "protocol": protocol,
            "address": address,
            "time_zone": "America/Chicago",
            "unique": [first],
            "event": second,
            "category": third,
            "area": fifth,
            "revise": fourth,
            "columns": columns,
        }
    )
