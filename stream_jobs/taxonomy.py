"""Our own categories: what each means, which NIBRS offences it holds and against whom it is.

``crosswalks/categories.csv`` is the list; crosswalks of feeds may map to nothing else. Each category is a union of
offences of the FBI's NIBRS, so that a feed which has their codes and one which has codes of its own can be compared.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from stream_jobs import crosswalk

STATUSES = ("open", "cleared_arrest", "cleared_exceptional", "not_cleared", "closed", "unknown")
"""What can be known of the police's or the office's work on an incident."""


@dataclass(frozen=True, slots=True)
class Category:
    """One category.

    Attributes:
        name: as incidents have it.
        crime_against: person, property, society or not_a_crime, as NIBRS has it; None for a mixture.
        index_crime: violent or property, the two sums that the FBI's summary reports are known for; None for neither.
        nibrs: codes of the NIBRS offences in it.
        means: what belongs to it, in words.
    """

    name: str
    crime_against: str | None
    index_crime: str | None
    nibrs: tuple[str, ...]
    means: str


@cache
def categories() -> dict[str, Category]:
    """Return every category by name, in the order of the list."""
    with (crosswalk.FOLDER / "categories.csv").open(encoding="utf-8", newline="") as lines:
        return {
            row["category"]: Category(
                row["category"],
                row["crime_against"] or None,
                row["index_crime"] or None,
                tuple(row["nibrs"].split()),
                row["means"],
            )
            for row in csv.DictReader(lines)
        }


def crime_against() -> str:
    """Return a SQL case expression over a column ``category``; it is null for a category that is a mixture."""
    found = {name: category.crime_against or "" for name, category in categories().items()}
    return crosswalk.Crosswalk("category", "crime_against", found, {}).expression()
