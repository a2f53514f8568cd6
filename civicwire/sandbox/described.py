"""Feeds that are described in a file instead of in code: an address, columns, and examples from which rows are drawn.

The files in ``described/`` belong to the catalog's feeds; ``civicwire source new`` writes them. Others are published on
command (``civicwire sandbox publish``), so that a dataset which nobody has added yet can be looked at.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from civicwire.sandbox import feeds
from civicwire.sandbox.feeds import ColumnType, Feed
from civicwire.sandbox.makers import Drawn, Simple
from civicwire.sandbox.times import EPOCH_MS, written
from schemas.errors import ConfigError

FOLDER = Path(__file__).parent / "described"
LATER_MINUTES = 3 * 24 * 60
"""Times beside the event's own (reported, closed) are up to three days later."""
ABSENT = 0.3
"""Share of rows that lack a time which is sometimes blank."""


def can_be_published(name: str) -> bool:
    """Return whether a column may have this name: ``n`` and what starts with a colon are the portal's own."""
    return bool(name) and name.lower() != "n" and not name.startswith(":") and "\0" not in name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """One column: what it is called, and what its values look like."""

    name: str = Field(min_length=1, description="the API's field name, or the header of the file")
    title: str = ""
    description: str = ""
    type: ColumnType = "text"
    time: str | None = Field(default=None, description="strftime pattern or epoch_ms: its values are times")
    examples: list[str | None] = Field(default_factory=list, description="values to draw from; null is a blank")


class Description(_Strict):
    """A feed. ``unique`` are the columns of its natural key, none where it has no key."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    description: str = ""
    licence: str = ""
    protocol: Literal["socrata", "csv", "arcgis", "ckan"]
    address: str = Field(
        default="", description="Socrata id, path of the service or file with {year}, or id of the resource"
    )
    files: dict[int, str] = Field(default_factory=dict, description="csv: year to path, instead of an address")
    time_zone: str
    unique: list[str] = Field(default_factory=list)
    event: str = Field(description="the column of the event's time")
    category: str
    area: str
    revise: str = Field(description="the column that a revision changes")
    columns: list[Column] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [column.name for column in self.columns]
        if len({name.lower() for name in names}) != len(names):
            raise ValueError("two columns have one name: rename one")
        if unfit := [name for name in names if not can_be_published(name)]:
            raise ValueError(f"the portal has columns like {unfit} of its own: rename them")
        for name in (*self.unique, self.event, self.category, self.area, self.revise):
            if name not in names:
                raise ValueError(f"{name!r} is none of the columns: add it there or correct it")
        if self._column(self.event).time is None:
            raise ValueError(f"the event column {self.event!r} has no `time`: say how it writes times")
        if len({value for value in self._column(self.revise).examples if value is not None}) < 2:  # noqa: PLR2004
            raise ValueError(f"{self.revise!r} has less than two examples: a revision needs another value to change to")
        if bool(self.address) == bool(self.files) or (self.files and self.protocol != "csv"):
            raise ValueError("give `address`, or for csv `files`, a mapping of years to paths")
        if self.time_zone not in available_timezones():
            raise ValueError(f"{self.time_zone!r} is no IANA time zone: write it like America/Chicago")
        return self

    def _column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def feed(self) -> Feed:
        """Return the feed as the portal publishes it."""
        return Feed(
            name=self.name,
            title=self.title,
            kind=self.protocol,
            address=self.address,
            columns=tuple(feeds.Column(c.name, c.title or c.name, c.type, c.description) for c in self.columns),
            # The control side names a row by one column; a longer key is as good as none there.
            key=self.unique[0] if len(self.unique) == 1 else "",
            event=(self.event,),
            category=self.category,
            area=self.area,
            zone=self.time_zone,
            description=self.description,
            licence=self.licence,
            event_time=self._column(self.event).time or "",
            files=self.files,
        )

    def maker(self) -> Simple:
        """Return who makes its rows."""
        feed = self.feed()
        zone = ZoneInfo(self.time_zone)
        numbered = self.unique[0] if self.unique else None

        def draw(random: Random, number: int, at: datetime) -> Drawn:
            return {
                column.name: _numbered(column, number)
                if column.name == numbered
                else _time(random, column, at, zone, event=column.name == self.event)
                if column.time is not None
                else random.choice(column.examples or [None])
                for column in self.columns
            }

        values = tuple(value for value in self._column(self.revise).examples if value is not None)
        newest = date(max(self.files), 12, 31) if self.files else None
        return Simple(feed, draw, (self.revise, values), newest)


def _numbered(column: Column, number: int) -> str:
    """Return a value that no other row has, in the form of the first example: its last digits count."""
    example = next((value for value in column.examples if value), "1000000")
    head = example.rstrip("0123456789")
    width = len(example) - len(head)
    if not head or not width:
        return f"{head}{10 ** max(width - 1, 5) + number}"
    return f"{head}{number:0{width}d}"


def _time(random: Random, column: Column, at: datetime, zone: ZoneInfo, *, event: bool) -> str | None:
    pattern = column.time or ""
    if event or (pattern != EPOCH_MS and "%d" not in pattern and "%-d" not in pattern):
        return written(at, pattern, zone)
    if None in column.examples and random.random() < ABSENT:
        return None
    return written(at + timedelta(minutes=random.randrange(LATER_MINUTES)), pattern, zone)


def read(text: str, origin: str) -> Description:
    """Return the description in YAML ``text``; ``origin`` names it in messages.

    Raises:
        ConfigError: it is no description; the message names each place that is wrong.
    """
    try:
        content: Any = yaml.safe_load(text)
        return Description.model_validate(content)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} cannot be read as YAML: {error}. Correct the file.") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise ConfigError(f"{origin} does not describe a feed: {wrong}. Correct the file.") from error


def load_all(folder: Path = FOLDER) -> dict[str, Description]:
    """Return every description of ``folder`` by the feed's name.

    Raises:
        ConfigError: one is not valid or is not named after its feed.
    """
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        description = read(path.read_text(encoding="utf-8"), path.name)
        if description.name != path.stem:
            raise ConfigError(f"{path.name} describes {description.name}: rename it to {description.name}.yaml.")
        found[description.name] = description
    return found
