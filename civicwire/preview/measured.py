"""What panels ask Prometheus, answered by what ``civicwire metrics`` would tell it now."""

from __future__ import annotations

import re

from civicwire.metrics import collectors
from civicwire.preview.results import Measure
from civicwire.settings import Settings

_ASKED = re.compile(r"(?P<how>sum|max) by \((?P<label>\w+)\) \((?P<name>\w+)\)")
"""All that these dashboards ask; another expression has no answer here."""


def measure(settings: Settings) -> Measure:
    """Return what answers; parts of the line that do not answer have no values."""
    samples = [sample for family in collectors(settings).collect() for sample in family.samples]

    def answer(expression: str) -> dict[str, float]:
        asked = _ASKED.fullmatch(expression)
        found: dict[str, list[float]] = {}
        for sample in samples if asked else ():
            if asked and sample.name == asked["name"]:
                found.setdefault(sample.labels[asked["label"]], []).append(sample.value)
        together = sum if asked and asked["how"] == "sum" else max
        return {label: together(values) for label, values in found.items()}

    return answer
