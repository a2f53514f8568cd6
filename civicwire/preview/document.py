"""A dashboard's JSON as the preview reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Look:
    """How one column is shown: the panel's defaults with the column's overrides."""

    heading: str
    unit: str | None
    colour: str | None
    width: int | None
    decimals: int | None
    dashed: bool
    cell: str
    """Grafana's cell type in tables: auto, gauge, color-background or color-text."""
    alert_at: float | None
    """Values from here on are coloured ``alert_colour``."""
    alert_colour: str | None


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``x``, ``y``, ``w`` and ``h`` are Grafana's grid units; ``sql`` is None for text and rows."""

    id: int
    kind: str
    title: str
    description: str
    x: int
    y: int
    w: int
    h: int
    sql: str | None
    no_value: str
    options: Mapping[str, Any]
    defaults: Mapping[str, Any]
    overrides: Mapping[str, Mapping[str, Any]]
    links: tuple[tuple[str, str], ...] = ()
    metric: str | None = None
    """What a panel asks Prometheus; its ``sql`` is None then."""

    @property
    def asks(self) -> bool:
        """Whether the panel has a query."""
        return self.sql is not None or self.metric is not None

    @property
    def scheme(self) -> str:
        """Grafana's colour mode of the panel."""
        return str(self.defaults.get("color", {}).get("mode", "fixed"))

    @property
    def is_heat_map(self) -> bool:
        """Whether this is a table whose cells are coloured by a continuous scheme."""
        cell = self.defaults.get("custom", {}).get("cellOptions", {}).get("type")
        return self.kind == "table" and cell == "color-background" and self.scheme.startswith("continuous-")

    @property
    def is_ranking(self) -> bool:
        """Whether this is a bar chart of one series with its values beside the bars."""
        return self.kind == "barchart" and self.options.get("showValue") == "always"

    def look(self, column: str) -> Look:
        """Return how ``column`` of the result is shown."""
        own = self.overrides.get(column, {})
        colour = own.get("color", self.defaults.get("color", {}))
        custom = self.defaults.get("custom", {})
        cell = own.get("custom.cellOptions", custom.get("cellOptions", {}))
        steps = own.get("thresholds", {}).get("steps", []) if colour.get("mode") == "thresholds" else []
        alert = next(((step["value"], step["color"]) for step in steps if step.get("value") is not None), (None, None))
        return Look(
            heading=own.get("displayName", column),
            unit=own.get("unit", self.defaults.get("unit")),
            colour=colour.get("fixedColor"),
            width=own.get("custom.width"),
            decimals=own.get("decimals", self.defaults.get("decimals")),
            dashed=own.get("custom.lineStyle", {}).get("fill") == "dash",
            cell=cell.get("type", "auto"),
            alert_at=alert[0],
            alert_colour=alert[1],
        )


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable as it is when nobody has chosen anything.

    Attributes:
        name: in queries.
        label: for people; empty where it is not shown.
        shown: its value in words.
        values: its values; of one whose values a query returns, none.
        sql: that query; None where the values are fixed.
    """

    name: str
    label: str
    shown: str
    values: tuple[str, ...]
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: its panels in reading order, its variables, and the queries of its annotations by their names."""

    uid: str
    title: str
    description: str
    time_from: str
    time_to: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()


def read(path: Path) -> Dashboard:
    """Return the dashboard of a JSON file.

    Raises:
        ConfigError: the file is missing or is not such a dashboard.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        panels = sorted((_panel(one) for one in document["panels"]), key=lambda panel: (panel.y, panel.x))
        return Dashboard(
            uid=document["uid"],
            title=document["title"],
            description=document.get("description", ""),
            time_from=document["time"]["from"],
            time_to=document["time"]["to"],
            panels=tuple(panels),
            variables=tuple(_variable(one) for one in document.get("templating", {}).get("list", []) if _asked(one)),
            annotations={
                one["name"]: one["target"]["rawSql"]
                for one in document.get("annotations", {}).get("list", [])
                if "rawSql" in one.get("target", {})
            },
            links=_links(document),
        )
    except FileNotFoundError:
        raise ConfigError(f"There is no {path}: write it with `python -m dashboards`.") from None
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} is no dashboard ({error!r}): write it with `python -m dashboards`.") from error


def _panel(panel: dict[str, Any]) -> Panel:
    place = panel["gridPos"]
    config = panel.get("fieldConfig", {})
    overrides: dict[str, dict[str, Any]] = {}
    for override in config.get("overrides", []):
        if override["matcher"]["id"] == "byName":
            properties = {one["id"]: one["value"] for one in override["properties"]}
            overrides.setdefault(override["matcher"]["options"], {}).update(properties)
    targets = panel.get("targets") or []
    return Panel(
        id=panel["id"],
        kind=panel["type"],
        title=panel.get("title", ""),
        description=panel.get("description", ""),
        x=place.get("x", 0),
        y=place.get("y", 0),
        w=place["w"],
        h=place["h"],
        sql=targets[0].get("rawSql") if targets else None,
        metric=targets[0].get("expr") if targets else None,
        no_value=config.get("defaults", {}).get("noValue", "No data"),
        options=panel.get("options", {}),
        defaults=config.get("defaults", {}),
        overrides=overrides,
        links=_links(panel),
    )


def _links(holder: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((one["title"], one["url"]) for one in holder.get("links") or [] if one.get("url"))


def _asked(variable: dict[str, Any]) -> bool:
    """Return whether queries use the variable: that of the data source decides where they go."""
    return bool(variable["type"] != "datasource")


def _variable(variable: dict[str, Any]) -> Variable:
    """Return a variable at its default; All means every option."""
    name, label = variable["name"], variable.get("label", variable["name"])
    if variable["type"] == "constant":
        return Variable(name, "", "", (str(variable["query"]),))
    if variable["type"] == "query":
        return Variable(name, label, "all", (), variable["query"]["rawSql"])
    current = variable["current"]["value"]
    chosen = current if isinstance(current, list) else [current]
    if "$__all" in chosen:
        everything = tuple(str(one["value"]) for one in variable["options"] if one["value"] != "$__all")
        return Variable(name, label, "all", everything)
    words = [str(one["text"]) for one in variable["options"] if one["value"] in chosen]
    return Variable(name, label, ", ".join(words), tuple(str(one) for one in chosen))
