"""What was known when: the warehouse keeps every revision, so any past day's state can be counted again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.cloud import bigquery

from civicwire.settings import Settings
from schemas.errors import ConfigError
from stream_jobs.warehouse.connection import connect, explained

DIMENSIONS = {
    "source": "source",
    "kind": "kind",
    "month": "format_date('%Y-%m', occurred_date)",
    "category": "category",
    "status": "status",
    "area": "area",
}
"""What can be counted by, and its SQL over ``incident_revisions``."""


def sql(by: Sequence[str]) -> str:
    """Return the query, with the parameters ``moment`` (TIMESTAMP) and ``source`` (STRING, null for all feeds).

    Of every incident the highest revision counts that a poll had found by the moment: ``observed_at`` is when that poll
    began. A row that could not be normalised then has no values and does not count.

    Raises:
        ConfigError: one of ``by`` cannot be counted by.
    """
    unknown = [name for name in by if name not in DIMENSIONS]
    if unknown or not by:
        raise ConfigError(f"Cannot count by {', '.join(unknown) or 'nothing'}: use {', '.join(DIMENSIONS)}.")
    columns = ",\n    ".join(f"{DIMENSIONS[name]} as {name}" for name in by)
    places = ", ".join(str(place) for place in range(1, len(by) + 1))
    return f"""with known as (
    select *, row_number() over (partition by incident_id order by revision desc) as newest
    from incident_revisions
    where observed_at <= @moment and (@source is null or source = @source)
)

select
    {columns},
    countif(not deleted) as incidents,
    countif(deleted) as deleted,
    countif(revision > 1) as revised
from known
where newest = 1 and occurred_date is not null
group by {places}
order by {places}
"""  # noqa: S608 - names from the table above


def counts(settings: Settings, moment: datetime, by: Sequence[str], source: str | None = None) -> list[dict[str, Any]]:
    """Return the counts that a reader at ``moment`` (an instant) would have got.

    Raises:
        ConfigError: as for ``sql``.
        EnvironmentMissingError: the warehouse is not running.
    """
    config = bigquery.QueryJobConfig(
        default_dataset=f"{settings.project}.{settings.dataset}",
        query_parameters=[
            bigquery.ScalarQueryParameter("moment", "TIMESTAMP", moment),
            bigquery.ScalarQueryParameter("source", "STRING", source),
        ],
    )
    text = sql(by)
    warehouse = connect(settings)
    try:
        with explained():
            return [dict(row.items()) for row in warehouse.client.query(text, job_config=config).result()]
    finally:
        warehouse.close()
