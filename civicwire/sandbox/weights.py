"""Reading the weighted tables of the vocabularies, and spreading rows over days."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def lines(table: str) -> list[str]:
    """Return a table's entries; a line that starts with two spaces goes on with the one before."""
    return table.replace("\n  ", " ").splitlines()


@dataclass(frozen=True)
class Weighted(Generic[T]):
    """Values to draw from, by cumulated weight."""

    values: Sequence[T]
    cumulated: Sequence[float]

    def draw(self, random: Random, count: int) -> list[T]:
        """Return ``count`` values, independent of each other."""
        return random.choices(self.values, cum_weights=self.cumulated, k=count)


def weighted(pairs: Sequence[tuple[T, float]]) -> Weighted[T]:
    """Return what draws each value in proportion to its weight."""
    return Weighted([value for value, _ in pairs], list(accumulate(weight for _, weight in pairs)))


def shares(text: str) -> Weighted[str]:
    """Return the draw that ``a:3 b:1`` stands for; ``-`` stands for blank."""
    pairs = (item.rsplit(":", 1) for item in text.split())
    return weighted([("" if value == "-" else value, float(weight)) for value, weight in pairs])


def days_between(first: date, last: date) -> list[date]:
    """Return every day from ``first`` to ``last``, both included."""
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def spread(total: int, days: Sequence[date], weight: Callable[[date], float]) -> Iterator[tuple[date, int]]:
    """Yield each day with its number of rows, in proportion to ``weight`` and exactly ``total`` together."""
    cumulated = list(accumulate(weight(day) for day in days))
    done = 0
    for day, so_far in zip(days, cumulated, strict=True):
        upto = round(total * so_far / cumulated[-1])
        yield day, upto - done
        done = upto
