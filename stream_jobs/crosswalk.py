"""Crosswalks: CSV files that map a feed's own codes to ours, rendered as SQL case expressions.

``crosswalks/<source>/<column>.csv``: the first column has the name of the feed's column and holds its codes, every
other column is a target, for example category. A code with ``%`` is a pattern (SQL ``like``); exact codes are tried
first, then the patterns from top to bottom. An empty target says that the code is known and deliberately left unmapped.

A folder serves every source whose name it is or begins: ``crosswalks/la_crime`` serves la_crime_2010_2019 and
la_crime_2020_2024, because the city uses the same codes in both. The longest such name counts.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas.errors import ConfigError

FOLDER = Path(__file__).parent / "crosswalks"
_ARMS = 8


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """One target of one file: codes of ``column`` to values of ``target``."""

    column: str
    target: str
    exact: dict[str, str]
    patterns: dict[str, str]

    def expression(self) -> str:
        """Return a SQL case expression over ``column``; it is null for a code that is not mapped."""
        by_value: dict[str, list[str]] = {}
        for code, value in self.exact.items():
            by_value.setdefault(value, []).append(code)
        exact = [
            f"when {self.column} in ({', '.join(_literal(code) for code in codes)}) then {_literal(value)}"
            for value, codes in by_value.items()
            if value
        ]
        patterns = [
            f"when {self.column} like {_literal(pattern)} then {_literal(value)}"
            for pattern, value in self.patterns.items()
        ]
        by_pattern = _cases(patterns)
        if self.exact and by_pattern:
            # Flink works out every argument of coalesce: only a code that is not listed is compared with the patterns.
            listed = ", ".join(_literal(code) for code in self.exact)
            by_pattern = [f"case when {self.column} not in ({listed}) then {_first(by_pattern)} end"]
        return _first(_cases(exact) + by_pattern)


def _cases(arms: list[str]) -> list[str]:
    """Return case expressions of a few arms each: the code of a longer one would be too much for Java's compilers."""
    parts = [arms[start : start + _ARMS] for start in range(0, len(arms), _ARMS)]
    return ["case\n" + "\n".join(f"        {arm}" for arm in part) + "\n    end" for part in parts]


def _first(expressions: list[str]) -> str:
    return expressions[0] if len(expressions) == 1 else f"coalesce({', '.join(expressions)})"


@cache
def of_source(source: str) -> dict[str, Crosswalk]:
    """Return the crosswalks of a feed by target.

    Raises:
        ConfigError: a code stands twice in a file, or two files have the same target.
    """
    found: dict[str, Crosswalk] = {}
    for path in sorted(folder(source).glob("*.csv")):
        for crosswalk in _read(path):
            if crosswalk.target in found:
                raise ConfigError(f"{path} maps {crosswalk.target}, which another file of {source} maps: keep one.")
            found[crosswalk.target] = crosswalk
    return found


def folder(source: str) -> Path:
    """Return the folder that holds the crosswalks of a feed; it need not exist."""
    words = source.split("_")
    names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    return next((FOLDER / name for name in names if (FOLDER / name).is_dir()), FOLDER / source)


def _read(path: Path) -> list[Crosswalk]:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        column, *targets = rows.fieldnames or ()
        records = list(rows)
    codes = [record[column] for record in records]
    if repeated := {code for code in codes if codes.count(code) > 1}:
        raise ConfigError(f"{path} has {', '.join(sorted(repeated))} more than once: keep one line for each code.")
    return [
        Crosswalk(
            column,
            target,
            exact={record[column]: record[target] for record in records if "%" not in record[column]},
            patterns={record[column]: record[target] for record in records if "%" in record[column]},
        )
        for target in targets
    ]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
