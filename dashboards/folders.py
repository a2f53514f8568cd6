"""The folders of dashboards, in reading order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import austin, cities, denver, hate_crimes, is_it_true, los_angeles, pipeline


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of dashboards.

    Attributes:
        name: of the folder under ``generated/``.
        uid: in Grafana; never changes.
        title: for people.
        dashboards: file name without its ending, and the function that builds the dashboard, in reading order.
    """

    name: str
    uid: str
    title: str
    dashboards: dict[str, Callable[[], Dashboard]]


FOLDERS = (
    Folder(
        "cities",
        "civicwire-folder-cities",
        "Public safety by city",
        {
            "cities": cities.build,
            "austin": austin.build,
            "los_angeles": los_angeles.build,
            "denver": denver.build,
            "hate_crimes": hate_crimes.build,
        },
    ),
    Folder(
        "feeds",
        "civicwire-folder-feeds",
        "Feeds and pipeline",
        {"is_it_true": is_it_true.build, "pipeline": pipeline.build},
    ),
)


def plain(built: object) -> Any:
    """Return what the SDK built as plain dicts and lists."""
    return json.loads(json.dumps(built, cls=JSONEncoder))
