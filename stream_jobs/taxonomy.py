"""Our own categories: what each means, which NIBRS offences it holds and against whom it is.

``crosswalks/categories.csv`` is the list; crosswalks of feeds may map to nothing else. Each category is a union of
offences of the FBI's NIBRS, so that a feed which has their codes and one which has codes of its own can be compared.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from stream_jobs import crosswalk

UNKNOWN = "unknown"
"""The feed says that it does not know. Null: it says nothing. unmapped: it says what no crosswalk lists."""

VOCABULARIES = {
    "status": ("open", "cleared_arrest", "cleared_exceptional", "not_cleared", "closed", UNKNOWN),
    "crime_against": ("person", "property", "society", "not_a_crime"),
    "sex": ("female", "male", UNKNOWN),
    "descent": ("american_indian", "asian", "black", "hispanic", "pacific_islander", "white", "other", UNKNOWN),
    "role": ("victim", "author"),
    "weapon": ("firearm", "knife_or_blade", "blunt_object", "vehicle", "bodily_force", "other", "none", UNKNOWN),
    "motive": (
        *("lgtbi_phobia", "sexism", "ethnic_or_racial_origin", "political_orientation", "islamophobia", "antisemitism"),
        *("christianophobia", "religion", "aporophobia", "antigypsyism", "disability", "illness", "age", "other"),
        "none_given",
    ),
    "road_condition": ("dry", "wet", "snow", "slush", "ice", "loose_material", "other", UNKNOWN),
    "light_condition": ("daylight", "dawn_or_dusk", "dark_lighted", "dark_unlighted", UNKNOWN),
}
"""The words of each harmonised column that is no category; what they mean is in docs/incident-model.md."""


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
