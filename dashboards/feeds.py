"""The feeds as people know them: what their rows are called, their colours and where they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed on a dashboard.

    Attributes:
        source: key of the source file.
        title: name of the feed.
        rows: what its rows are, in the plural and lower case.
        zone: IANA zone of its civil times.
        colour: of its bars and lines.
        pale: the same colour for what is not complete yet.
        scheme: Grafana's continuous colour scheme for its heat map.
        page: the portal's page of the data set.
    """

    source: str
    title: str
    rows: str
    zone: str
    colour: str
    pale: str
    scheme: str
    page: str


AUSTIN = Feed(
    source="austin_crime_reports",
    title="Austin crime reports",
    rows="crime reports",
    zone="America/Chicago",
    colour="#2f6690",
    pale="#b4cbdc",
    scheme="continuous-blues",
    page="https://data.austintexas.gov/d/fdj4-gpfu",
)
SAN_DIEGO = Feed(
    source="san_diego_calls",
    title="San Diego calls for service",
    rows="calls for service",
    zone="America/Los_Angeles",
    colour="#3a7d44",
    pale="#bcd8bf",
    scheme="continuous-greens",
    page="https://data.sandiego.gov/datasets/police-calls-for-service/",
)
FEEDS = (AUSTIN, SAN_DIEGO)
