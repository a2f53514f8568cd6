"""The feeds as people know them: what their rows are called, their colours and where they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed, or tables of a city that count the same thing, on a dashboard.

    Attributes:
        sources: keys of the source files.
        title: what it is called.
        rows: what its rows are, in the plural and lower case.
        zone: IANA zone of its civil times.
        colour: of its bars and lines.
        pale: the same colour for what is not complete yet.
        scheme: Grafana's continuous colour scheme for its heat maps and rings.
        page: the portal's page of the data set.
    """

    sources: tuple[str, ...]
    title: str
    rows: str
    zone: str
    colour: str
    pale: str
    scheme: str
    page: str


AUSTIN = Feed(
    sources=("austin_crime_reports",),
    title="Austin crime reports",
    rows="crime reports",
    zone="America/Chicago",
    colour="#2f6690",
    pale="#b4cbdc",
    scheme="continuous-blues",
    page="https://data.austintexas.gov/d/fdj4-gpfu",
)
SAN_DIEGO = Feed(
    sources=("san_diego_calls",),
    title="San Diego calls for service",
    rows="calls for service",
    zone="America/Los_Angeles",
    colour="#3a7d44",
    pale="#bcd8bf",
    scheme="continuous-greens",
    page="https://data.sandiego.gov/datasets/police-calls-for-service/",
)
LOS_ANGELES = Feed(
    sources=("la_crime_2010_2019", "la_crime_2020_2024"),
    title="Los Angeles crime reports",
    rows="crime reports",
    zone="America/Los_Angeles",
    colour="#b5622e",
    pale="#e5c7b3",
    scheme="continuous-YlRd",
    page="https://data.lacity.org/d/2nrs-mtv8",
)
LOS_ANGELES_OFFENCES = Feed(
    sources=("la_nibrs_offenses",),
    title="Los Angeles NIBRS offences",
    rows="offences",
    zone="America/Los_Angeles",
    colour="#8a6d3b",
    pale="#d9ceb8",
    scheme="continuous-YlRd",
    page="https://data.lacity.org/d/k7nn-b2ep",
)
ACCIDENTS = Feed(
    sources=("denver_traffic_accidents",),
    title="Denver traffic accidents",
    rows="accidents",
    zone="America/Denver",
    colour="#5b5b95",
    pale="#cbcbe0",
    scheme="continuous-purples",
    page="https://opendata-geospatialdenver.hub.arcgis.com/",
)
CONTACTS = Feed(
    sources=("denver_311", "denver_311_archive"),
    title="Denver 311 contacts",
    rows="contacts",
    zone="America/Denver",
    colour="#4f8a8b",
    pale="#c4dada",
    scheme="continuous-purples",
    page="https://opendata-geospatialdenver.hub.arcgis.com/",
)
HATE_FACTS = Feed(
    sources=("catalonia_hate_facts",),
    title="Catalonia hate crime facts",
    rows="facts",
    zone="Europe/Madrid",
    colour="#9c4a5b",
    pale="#e1c4ca",
    scheme="continuous-reds",
    page="https://analisi.transparenciacatalunya.cat/d/y48r-ae59",
)
HATE_PERSONS = Feed(
    sources=("catalonia_hate_persons",),
    title="Catalonia hate crime victims and authors",
    rows="persons",
    zone="Europe/Madrid",
    colour="#9c4a5b",
    pale="#e1c4ca",
    scheme="continuous-reds",
    page="https://analisi.transparenciacatalunya.cat/d/gci6-2ubm",
)
LAUS = Feed(
    sources=("california_laus",),
    title="California local area unemployment",
    rows="area months",
    zone="America/Los_Angeles",
    colour="#33475b",
    pale="#b9c2c9",
    scheme="continuous-blues",
    page="https://data.ca.gov/dataset/local-area-unemployment-statistics-laus",
)
FEEDS = (
    AUSTIN,
    SAN_DIEGO,
    LOS_ANGELES,
    LOS_ANGELES_OFFENCES,
    ACCIDENTS,
    CONTACTS,
    HATE_FACTS,
    HATE_PERSONS,
    LAUS,
)
TITLES = {
    "austin_crime_reports": "Austin crime reports",
    "san_diego_calls": "San Diego calls",
    "la_crime_2010_2019": "Los Angeles reports to 2019",
    "la_crime_2020_2024": "Los Angeles reports from 2020",
    "la_nibrs_offenses": "Los Angeles offences",
    "denver_traffic_accidents": "Denver accidents",
    "denver_311": "Denver 311",
    "denver_311_archive": "Denver 311 archive",
    "catalonia_hate_facts": "Catalonia hate facts",
    "catalonia_hate_persons": "Catalonia hate persons",
    "california_laus": "California unemployment",
}
"""Short names of the feeds, by the key of the source file; a test holds them complete."""
CADENCE_MINUTES = {
    "austin_crime_reports": 1440,
    "san_diego_calls": 720,
    "la_crime_2010_2019": 10080,
    "la_crime_2020_2024": 10080,
    "la_nibrs_offenses": 1440,
    "denver_traffic_accidents": 1440,
    "denver_311": 1440,
    "denver_311_archive": 10080,
    "catalonia_hate_facts": 1440,
    "catalonia_hate_persons": 1440,
    "california_laus": 1440,
}
"""How often each feed is polled, as its source file says, which this room does not read; a test holds them equal."""
