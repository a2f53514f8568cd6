"""The feeds that the sandbox portal publishes: what each looks like from outside, and nothing of how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "number", "floating_timestamp", "location"]

COLUMN_TYPES: dict[str, ColumnType] = {
    "text": "text",
    "number": "number",
    "floating_timestamp": "floating_timestamp",
    "location": "location",
}
"""The types a column can have, by name."""


@dataclass(frozen=True)
class Column:
    """One published column.

    Attributes:
        field: the API's field name (the CSV's header for a file).
        name: the title that people see.
        type: the portal's data type; every value is text all the same, only comparison differs.
    """

    field: str
    name: str
    type: ColumnType = "text"


@dataclass(frozen=True)
class Feed:
    """One feed.

    Attributes:
        name: the source's name in civicwire.
        title: the dataset's title.
        kind: the protocol, a Socrata dataset or one CSV file a year.
        address: the Socrata id, or the file's path with ``{year}``.
        columns: in the order in which they are published.
        key: the natural key.
        event: columns of the event's local time; the first that has a value counts.
        category: column that the truth is counted by.
        area: column that the truth is counted by.
        zone: IANA name of the zone of all local times.
    """

    name: str
    title: str
    kind: Literal["socrata", "csv"]
    address: str
    columns: tuple[Column, ...]
    key: str
    event: tuple[str, ...]
    category: str
    area: str
    zone: str


AUSTIN = Feed(
    name="austin_crime_reports",
    title="Crime Reports",
    kind="socrata",
    address="fdj4-gpfu",
    columns=(
        Column("incident_report_number", "Incident Number"),
        Column("crime_type", "Highest Offense Description"),
        Column("ucr_code", "Highest Offense Code"),
        Column("family_violence", "Family Violence"),
        Column("occ_date_time", "Occurred Date Time", "floating_timestamp"),
        Column("occ_date", "Occurred Date", "floating_timestamp"),
        Column("occ_time", "Occurred Time"),
        Column("rep_date_time", "Report Date Time", "floating_timestamp"),
        Column("rep_date", "Report Date", "floating_timestamp"),
        Column("rep_time", "Report Time"),
        Column("location_type", "Location Type"),
        Column("address", "Address"),
        Column("zip_code", "Zip Code"),
        Column("council_district", "Council District", "number"),
        Column("sector", "APD Sector"),
        Column("district", "APD District"),
        Column("pra", "PRA"),
        Column("census_tract", "Census Tract"),
        Column("clearance_status", "Clearance Status"),
        Column("clearance_date", "Clearance Date", "floating_timestamp"),
        Column("ucr_category", "UCR Category"),
        Column("category_description", "Category Description"),
        Column("x_coordinate", "X-coordinate", "number"),
        Column("y_coordinate", "Y-coordinate", "number"),
        Column("latitude", "Latitude", "number"),
        Column("longitude", "Longitude", "number"),
        Column("location", "Location", "location"),
    ),
    key="incident_report_number",
    event=("occ_date_time", "occ_date"),
    category="crime_type",
    area="sector",
    zone="America/Chicago",
)

SAN_DIEGO = Feed(
    name="san_diego_calls",
    title="Police Calls for Service",
    kind="csv",
    address="police_calls_for_service/pd_calls_for_service_{year}_datasd.csv",
    columns=tuple(
        Column(field, field)
        for field in (
            "incident_num",
            "date_time",
            "day_of_week",
            "address_number_primary",
            "address_dir_primary",
            "address_road_primary",
            "address_sfx_primary",
            "address_dir_intersecting",
            "address_road_intersecting",
            "address_sfx_intersecting",
            "call_type",
            "disposition",
            "beat",
            "priority",
        )
    ),
    key="incident_num",
    event=("date_time",),
    category="call_type",
    area="beat",
    zone="America/Los_Angeles",
)

FEEDS: dict[str, Feed] = {feed.name: feed for feed in (AUSTIN, SAN_DIEGO)}
"""All feeds by name; another dataset is one more entry here and a maker of rows in ``rows``."""
