"""Ask a portal, guess, and write a new feed's files; nothing that exists is ever overwritten."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from civicwire.scaffold import (
    crosswalk_file,
    described_file,
    from_arcgis,
    from_ckan,
    from_csv,
    from_socrata,
    schema_file,
    source_file,
    sql_file,
)
from civicwire.scaffold.address import Address, Protocol, parse
from civicwire.scaffold.draft import Draft
from civicwire.scaffold.guess import Guess, guess
from civicwire.scaffold.sample import LARGEST_ANSWER, Dataset
from civicwire.scaffold.words import LONGEST_NAME, column_names, one_line
from civicwire.settings import ROOT
from producers import catalog
from producers.http import Portal
from schemas.errors import ConfigError, RetriableError

KINDS: tuple[str, ...] = get_args(catalog.Source.model_fields["kind"].annotation)
UNITS: tuple[str, ...] = get_args(catalog.Counts.model_fields["unit"].annotation)
COUNTS = {
    "crime_report": "incidents",
    "offence": "offences",
    "call_for_service": "calls",
    "hate_crime": "facts",
    "accident": "accidents",
    "service_request": "contacts",
}
"""What one row probably is: of ``UNITS``."""
NOT_SAID = "Not said yet: what one row is and what is left out, in a sentence."
MOST_COLUMNS = 400
NO_LICENCE = "none stated by the portal; its terms of use apply"
_KEY = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person says of a new feed; an empty value says nothing.

    Attributes:
        key: the feed's name.
        url: what was pasted.
        protocol: how the dataset is read, where the address does not say it.
        portal: base URL to ask instead of the address's own host.
        time_zone: IANA zone.
        kind: of ``KINDS``.
        title, licence: words of the source file.
        counts: what one row is, of ``UNITS``.
        means: that in a sentence.
        record_id: columns of the key, or ``hash``.
        event_time: column of the event's time.
    """

    key: str
    url: str
    protocol: Protocol | None = None
    portal: str | None = None
    time_zone: str | None = None
    kind: str | None = None
    title: str | None = None
    licence: str | None = None
    counts: str | None = None
    means: str | None = None
    record_id: Sequence[str] = ()
    event_time: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be written, by path below the checkout, and everything that was guessed."""

    draft: Draft
    files: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def guess(self) -> Guess:
        """What the columns are taken for."""
        return self.draft.guess


def propose(wanted: Wanted, root: Path = ROOT) -> Proposal:
    """Return the files of the feed that ``wanted`` describes.

    Raises:
        ConfigError: something that only a person can say is missing or wrong, or a file of the feed exists.
        RetriableError, FatalError: the portal does not answer, refuses, or is none of the protocol's.
    """
    zone = _checked(wanted)
    address = parse(wanted.url, wanted.protocol)
    _refuse_existing(root, [f"producers/sources/{wanted.key}.yaml", *_paths(wanted.key).values()])
    dataset = _asked(wanted, address, zone)
    if not dataset.rows:
        raise ConfigError(f"{_bare(wanted.url)} has no rows yet, so there is nothing to draft a feed from.")
    if len(dataset.columns) > MOST_COLUMNS:
        raise ConfigError(f"{_bare(wanted.url)} has {len(dataset.columns)} columns, more than {MOST_COLUMNS}.")
    found = guess(dataset, record_id=wanted.record_id, event_time=wanted.event_time)
    draft = Draft(
        key=wanted.key,
        url=_bare(wanted.url),
        title=wanted.title or one_line(dataset.title) or wanted.key.replace("_", " ").capitalize(),
        kind=str(wanted.kind),
        counts=wanted.counts or COUNTS[str(wanted.kind)],
        means=one_line(wanted.means) or NOT_SAID,
        time_zone=zone.key,
        licence=wanted.licence or one_line(dataset.licence) or NO_LICENCE,
        dataset=dataset,
        guess=found,
        names=column_names([column.name for column in _kept(dataset, found)]),
    )
    if wanted.counts is None:
        found.said("counts", draft.counts, "by the kind; feeds that count other things are no comparison")
    if not wanted.licence and not dataset.licence.strip():
        found.said("licence", draft.licence, "the portal states none")
    return _written(draft)


def write(proposal: Proposal, root: Path = ROOT) -> list[Path]:
    """Write the files and return their paths.

    Raises:
        ConfigError: one of them exists; then none is written.
    """
    _refuse_existing(root, proposal.files)
    written = []
    for name, text in proposal.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        written.append(path)
    return written


def _checked(wanted: Wanted) -> ZoneInfo:
    """Return the zone, after everything that only a person can say was found to be said."""
    lacking = []
    if wanted.time_zone is None:
        lacking.append("--time-zone, the IANA zone of the feed's civil times, like America/Chicago")
    if wanted.kind is None:
        lacking.append(f"--kind, one of {', '.join(KINDS)}")
    if lacking:
        raise ConfigError(f"No portal says this, so say it: {'; and '.join(lacking)}.")
    if wanted.time_zone not in available_timezones():
        raise ConfigError(f"{wanted.time_zone!r} is no IANA time zone: write --time-zone like America/Chicago.")
    if wanted.kind not in KINDS:
        raise ConfigError(f"{wanted.kind!r} is no kind: give --kind one of {', '.join(KINDS)}.")
    if wanted.kind not in COUNTS:
        raise ConfigError(
            "Persons and indicators have tables of their own, and their SQL is written by hand: copy the files of "
            "catalonia_hate_persons or california_laus and adapt them."
        )
    if wanted.counts and wanted.counts not in UNITS:
        raise ConfigError(f"{wanted.counts!r} is no unit: give --counts one of {', '.join(UNITS)}.")
    if not _KEY.fullmatch(wanted.key):
        raise ConfigError(
            f"{wanted.key!r} is no key: begin with a letter, and use small letters, digits and underscores, at most "
            f"{LONGEST_NAME}."
        )
    return ZoneInfo(str(wanted.time_zone))


def _refuse_existing(root: Path, names: Sequence[str] | Mapping[str, Any]) -> None:
    there = [name for name in names if (root / name).exists()]
    if there:
        raise ConfigError(f"Nothing was written, because {', '.join(there)} exists: remove it or choose another key.")


def _asked(wanted: Wanted, address: Address, zone: ZoneInfo) -> Dataset:
    """Return what the portal says; whatever it answers, it ends in an error of ours or in a dataset."""
    protocols = {
        "socrata": catalog.Socrata(
            name="socrata", host=address.host, dataset="aaaa-0000", token_env=from_socrata.TOKEN
        ),
        "arcgis": catalog.ArcGis(name="arcgis", host=address.host, service="/rest/FeatureServer"),
        "ckan": catalog.Ckan(name="ckan", host=address.host, resource="0" * 36),
        "csv_file": catalog.CsvFile(name="csv_file", host=address.host, path="/"),
    }
    protocol = protocols[address.protocol].model_copy(update={"max_response_bytes": LARGEST_ANSWER})
    # A session needs of a source only where it is and how it may be asked; the rest is not known yet.
    portal = Portal(catalog.Source.model_construct(key=wanted.key, protocol=protocol), wanted.portal)
    try:
        match address.protocol:
            case "socrata":
                return from_socrata.read(portal, address, wanted.key)
            case "arcgis":
                return from_arcgis.read(portal, address, wanted.key)
            case "ckan":
                return from_ckan.read(portal, address, wanted.key)
            case "csv_file":
                return from_csv.read(portal, address, wanted.key, zone)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise RetriableError(
            f"{wanted.key}: {portal.host} does not describe the dataset as {address.protocol} does "
            f"({type(error).__name__}: {error}). Look at it in a browser, or say another --protocol."
        ) from error
    finally:
        portal.close()


def _kept(dataset: Dataset, found: Guess) -> list[Any]:
    return [
        column
        for column in dataset.columns
        if not any(fnmatch.fnmatchcase(column.name, pattern) for pattern in found.ignored)
    ]


def _paths(key: str) -> dict[str, str]:
    return {
        "schema": f"schemas/raw/{key}.avsc",
        "sql": f"stream_jobs/normalize/{key}.sql",
        "crosswalks": f"stream_jobs/crosswalks/{key}",
        "described": f"civicwire/sandbox/described/{key}.yaml",
    }


def _written(draft: Draft) -> Proposal:
    paths = _paths(draft.key)
    files = {
        f"producers/sources/{draft.key}.yaml": source_file.text(draft),
        paths["schema"]: schema_file.text(draft),
        paths["sql"]: sql_file.text(draft),
        **{f"{paths['crosswalks']}/{name}": text for name, text in crosswalk_file.texts(draft).items()},
    }
    notes = list(draft.dataset.notes)
    described = described_file.text(draft)
    if described is None:
        notes.append(
            "The sandbox portal cannot publish rows of this feed: it has no column to revise, or names of its own."
        )
    else:
        files[paths["described"]] = described
    return Proposal(draft, files, notes)


def _bare(url: str) -> str:
    """Return an address without what follows a question mark, which may be nobody's business."""
    parts = urlsplit(url.strip())
    return one_line(f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else parts.path)
