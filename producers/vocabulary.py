"""Values never seen before, in columns that hold codes: a new one is a drift event, for somebody has to map it.

What has been seen stands in the feed's cursor. A feed's first poll learns in silence; a column that is watched later
than the feed is polled learns from the events that the topic already holds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from producers.catalog import Source
from producers.drift import Drift

KEY = "vocabulary"
"""Where the cursor's position has it: a JSON object of columns to their sorted values, null for one that is none."""
MOST_VALUES = 2_000
"""A column with more values holds no codes; it is not watched any longer, which is an event of its own."""
MOST_EVENTS = 50
"""New values of one column that are told one by one; a publisher that rewrites a whole vocabulary says so once."""


class Vocabulary:
    """The watched columns of one feed during one poll.

    Args:
        source: the feed; its ``vocabularies`` are watched.
        position: the cursor's position before the poll, empty before the first one.
        silent: whether values are learned without an event, as in the first poll.
    """

    def __init__(self, source: Source, position: Mapping[str, str], *, silent: bool = False) -> None:
        remembered: dict[str, list[str] | None] = json.loads(position.get(KEY, "{}"))
        self._title = source.title
        self._first = not position
        self._silent = silent or self._first
        self._seen = {column: set(values) for column, values in remembered.items() if values is not None}
        self._given_up = {column for column, values in remembered.items() if values is None}
        self._new: dict[str, Counter[str]] = {
            column: Counter() for column in source.vocabularies if column not in self._given_up
        }
        order = source.columns
        self._places = [(column, order.index(column)) for column in self._new]

    def unlearned(self) -> list[str]:
        """Return the columns that are watched from now on although the feed has been polled before."""
        return [] if self._first else [column for column in self._new if column not in self._seen]

    def learn(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the values of ``rows`` as seen, in the columns that are not learned yet."""
        columns = self.unlearned()
        found: dict[str, set[str]] = {column: set() for column in columns}
        for row in rows:
            for column in columns:
                if row[column] is not None:
                    found[column].add(row[column])
        self._seen |= found

    def note(self, cells: Sequence[str | None]) -> None:
        """Note the values of a new or revised row, given in the order of the schema's columns."""
        for column, place in self._places:
            value = cells[place]
            if value and value not in self._seen.get(column, ()):
                values = self._new[column]
                if value in values or len(values) <= MOST_VALUES:
                    values[value] += 1

    def drift(self) -> list[Drift]:
        """Return an event for each value never seen before, most frequent first; none in the feed's first poll."""
        found: list[Drift] = []
        for column, values in self._new.items():
            if len(values) + len(self._seen.get(column, ())) > MOST_VALUES:
                detail = f"{self._title}: {column} has more than {MOST_VALUES:,} values, so it is no longer watched."
                found.append(Drift("vocabulary_unbounded", column, detail))
            elif not self._silent:
                found += self._added(column, values)
        return found

    def _added(self, column: str, values: Counter[str]) -> list[Drift]:
        named = values.most_common(MOST_EVENTS)
        found = [
            Drift(
                "value_added",
                column,
                f"{self._title}: {column} has the value {value!r}, never seen before, in {rows} rows.",
                value=value,
                rows=rows,
            )
            for value, rows in named
        ]
        if len(values) > len(named):
            rows = values.total() - sum(rows for _, rows in named)
            detail = f"{self._title}: {column} has {len(values) - len(named):,} more new values, in {rows:,} rows."
            found.append(Drift("values_added", column, detail, rows=rows))
        return found

    def position(self) -> dict[str, str]:
        """Return what the cursor is to remember, nothing where no column is watched."""
        known: dict[str, list[str] | None] = dict.fromkeys(self._given_up)
        for column, values in self._new.items():
            every = self._seen.get(column, set()) | set(values)
            known[column] = None if len(every) > MOST_VALUES else sorted(every)
        return {KEY: json.dumps(known, ensure_ascii=False, sort_keys=True)} if known else {}
