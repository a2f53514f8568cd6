"""The catalog: every feed is one validated file in ``producers/sources/``."""

from __future__ import annotations

import calendar
import fnmatch
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from schemas import loader
from schemas.errors import ConfigError

FOLDER = Path(__file__).parent / "sources"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Protocol(_Strict):
    host: str = Field(pattern=r"^https?://[^/]+$", description="scheme and host, no path")
    requests_per_second: float = Field(default=2.0, gt=0, description="token bucket of the host")
    redirect_hosts: list[str] = Field(
        default_factory=list, description="hosts to which a redirect is followed although their address is private"
    )
    max_response_bytes: int = Field(default=1 << 30, gt=0, description="a longer body stops the poll")


class Socrata(_Protocol):
    """A table behind Socrata's SODA API."""

    name: Literal["socrata"]
    version: Literal["2.1"] = "2.1"
    dataset: str = Field(pattern=r"^[a-z0-9]{4}-[a-z0-9]{4}$")
    page_rows: int = Field(default=20_000, ge=1, le=50_000)
    overlap_seconds: int = Field(default=600, ge=0)
    token_env: str | None = None


class CsvFile(_Protocol):
    """A CSV file that is rewritten whole, one for each year: under one path with ``{year}``, or each under its own."""

    name: Literal["csv_file"]
    version: Literal["1"] = "1"
    path: str | None = Field(default=None, pattern=r"^/")
    years: list[int | Literal["current"]] = Field(default=["current"], min_length=1)
    files: dict[int, str] = Field(default_factory=dict, description="year to path, where the paths have no pattern")
    encoding: Literal["utf-8", "cp1252", "detect"] = Field(
        default="utf-8", description="detect: UTF-8 if the whole file is, else Windows-1252"
    )
    multiline: bool = Field(default=False, description="quoted fields may hold line breaks")

    @model_validator(mode="after")
    def _one_path_per_year(self) -> CsvFile:
        if (self.path is None) == (not self.files):
            raise ValueError("give either `path` or `files`, a mapping of years to paths")
        if self.path is not None and len(self.years) > 1 and "{year}" not in self.path:
            raise ValueError("several years share one path: put {year} into path, or list one year")
        return self


class ArcGis(_Protocol):
    """A layer or table of an ArcGIS FeatureServer; its number changes at a new publication, so it is discovered."""

    name: Literal["arcgis"]
    version: Literal["feature_server"] = "feature_server"
    service: str = Field(pattern=r"^/.*/FeatureServer$")
    layer_name: str | None = Field(default=None, description="which layer or table, where the service has several")
    page_rows: int = Field(default=2_000, ge=1, le=32_000)
    token_env: str | None = None


class Ckan(_Protocol):
    """A resource in CKAN's datastore."""

    name: Literal["ckan"]
    version: Literal["3"] = "3"
    resource: str = Field(pattern=r"^[0-9a-f-]{36}$")
    page_rows: int = Field(default=5_000, ge=1, le=32_000)
    token_env: str | None = None


class RollingWindow(_Strict):
    """How far back the publisher keeps rows: a row that leaves the window has expired and was not deleted."""

    years: int = Field(default=0, ge=0, description="whole calendar years before the current one")
    months: int = Field(default=0, ge=0, description="months before the poll")

    @model_validator(mode="after")
    def _one_of_them(self) -> RollingWindow:
        if bool(self.years) == bool(self.months):
            raise ValueError("give `years` or `months`, not both")
        return self

    def start(self, today: date) -> str:
        """Return the first day inside the window as ISO text."""
        if self.years:
            return f"{today.year - self.years:04d}-01-01"
        months = today.year * 12 + today.month - 1 - self.months
        last = calendar.monthrange(months // 12, months % 12 + 1)[1]
        return date(months // 12, months % 12 + 1, min(today.day, last)).isoformat()


class Counts(_Strict):
    """What one row is: feeds of different units are different things, and no figure should add them up."""

    unit: Literal[
        "incidents",
        "highest_offence",
        "most_serious_crime",
        "offences",
        "calls",
        "accidents",
        "contacts",
        "facts",
        "persons",
        "area_months",
    ]
    means: str = Field(description="the unit in a sentence, and what is left out")


class Break(_Strict):
    """A day of the event time from which on rows cannot be compared with earlier ones without saying so."""

    date: date
    effect: Literal["begins", "ends", "level", "definition", "columns"] = Field(
        description="begins, ends: no comparable rows on the other side; level: more or fewer rows for reasons of "
        "reporting; definition: a row or a value means something else; columns: a column came, went or changed its fill"
    )
    what: str = Field(description="what happened, and how that is known")


class Source(_Strict):
    """One feed: where it is, how it is read, what identifies a row and when to look again."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    kind: Literal[
        "crime_report",
        "offence",
        "call_for_service",
        "accident",
        "service_request",
        "hate_crime",
        "person",
        "indicator",
    ] = Field(description="kind of its incidents; person and indicator have topics and tables of their own")
    counts: Counts
    breaks: list[Break] = Field(default_factory=list)
    time_zone: str
    licence: str
    protocol: Annotated[Socrata | CsvFile | ArcGis | Ckan, Field(discriminator="name")]
    record_id: Literal["hash"] | Annotated[list[str], Field(min_length=1)] = Field(
        description="the columns that identify a row, or hash: the row's content and a counter for equal rows"
    )
    event_time: str = Field(description="the column whose newest value tells late rows and freshness")
    event_time_format: Literal["iso", "epoch_ms", "us", "year"] = Field(
        default="iso", description="us: M/D/YYYY, with h:mm:ss AM or without"
    )
    rolling_window: RollingWindow | None = None
    cadence_minutes: int = Field(gt=0, description="how often to look")
    renames: dict[str, str] = Field(default_factory=dict, description="published column name to schema column name")
    drift: Literal["evolve", "freeze", "stop"] = Field(
        default="evolve",
        description="evolve: new columns go to extras; freeze: they are left out, and a column that is dropped, "
        "renamed or retyped stops the poll; stop: any change of the columns does",
    )
    vocabularies: list[str] = Field(
        default_factory=list,
        description="columns that hold codes, by the schema's names: a value never seen before is a drift event",
    )
    ignore_columns: list[str] = Field(default_factory=list, description="glob patterns of columns to leave out")
    shrink_limit: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="a complete scan that loses more than this share of the rows is not believed",
    )

    @field_validator("time_zone")
    @classmethod
    def _iana(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone: write it like America/Chicago")
        return value

    @model_validator(mode="after")
    def _columns_exist(self) -> Source:
        known = set(self.columns)
        for column in [*self.key_columns, self.event_time, *self.renames.values(), *self.vocabularies]:
            if column not in known:
                raise ValueError(
                    f"{column!r} is no column of schemas/raw/{self.key}.avsc: add it there or correct it here"
                )
        return self

    @property
    def key_columns(self) -> list[str]:
        """The columns of the natural key, none where the feed has no such key."""
        return [] if self.record_id == "hash" else list(self.record_id)

    @property
    def columns(self) -> list[str]:
        """The row's known columns: those of the raw event's schema."""
        fields = loader.document(f"raw/{self.key}")["fields"]
        row = next(field for field in fields if field["name"] == "row")
        return [field["name"] for field in row["type"]["fields"]]

    @property
    def can_be_bounded(self) -> bool:
        """Whether the portal, or a comparison of text, can tell rows before a day from those after it.

        Words like ``3/9/2024`` have no order, and a feed without a key is always counted whole.
        """
        wanted = {"socrata": "iso", "csv_file": "iso", "arcgis": "epoch_ms"}
        return bool(self.key_columns) and wanted.get(self.protocol.name) == self.event_time_format

    def ignores(self, name: str) -> bool:
        """Return whether the published column ``name`` is to be left out."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.ignore_columns)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the feed's civil times."""
        return ZoneInfo(self.time_zone)


_PROTOCOLS = ("socrata", "csv_file", "arcgis", "ckan")


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"] if part not in _PROTOCOLS) or "the file"
        match problem["type"]:
            case "missing":
                fix = f"add `{place}:`"
            case "extra_forbidden":
                fix = f"remove `{place}` or correct its spelling"
            case "value_error":
                fix = "see the message"
            case _:
                fix = f"correct `{place}` (now {problem['input']!r})"
        lines.append(f"{place}: {problem['msg'].removeprefix('Value error, ')}; {fix}")
    return " | ".join(lines)


def load_file(path: Path) -> Source:
    """Return the validated source in ``path``.

    Raises:
        ConfigError: the file is not valid; the message names each place and how to mend it.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: a date that there is not
        raise ConfigError(f"{path.name} cannot be read as YAML: {error}. Correct the file.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path.name} is empty or no mapping: start it with `key: {path.stem}`.")
    try:
        source = Source.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path.name} is not a valid source: {_explain(error)}.") from error
    if source.key != path.stem:
        raise ConfigError(f"{path.name} holds the key {source.key!r}: rename the file to {source.key}.yaml.")
    return source


def load_all(folder: Path = FOLDER) -> dict[str, Source]:
    """Return every source of ``folder`` by key, in alphabetical order."""
    return {path.stem: load_file(path) for path in sorted(folder.glob("*.yaml"))}


def find(key: str, folder: Path = FOLDER) -> Source:
    """Return the source ``key``.

    Raises:
        ConfigError: there is none; the message lists those that exist.
    """
    path = folder / f"{key}.yaml"
    if not path.is_file():
        known = ", ".join(item.stem for item in sorted(folder.glob("*.yaml")))
        raise ConfigError(f"There is no source {key!r}: use one of {known}, or add producers/sources/{key}.yaml.")
    return load_file(path)
