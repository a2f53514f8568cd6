"""``stream_jobs/crosswalks/<key>/<column>.csv``: the codes of the sample, mapped where the words are obvious."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict

from civicwire.scaffold.draft import Draft
from civicwire.scaffold.words import is_plain

CONSTANT = {"service_request": "service_request", "accident": "traffic"}
"""Kinds of feeds whose incidents all have one category, whatever their code (docs/incident-model.md)."""
MOST_CODES = 500
LONGEST_CODE = 200
AGREED = 0.8
"""Share of a code's rows that must have the same words."""

_CATEGORIES: tuple[tuple[str, str], ...] = (
    ("homicide", r"homicide|murder|manslaughter"),
    ("sexual_assault", r"\brape|sexual|sex off|sodomy|indecen"),
    ("robbery", r"robbery|carjack"),
    ("theft", r"(burglary|theft|larceny)[ -]*(of|from)[ -]*(a )?(motor )?vehicle|vehicle prowl|from (motor )?vehicle"),
    ("aggravated_assault", r"agg(ravated|\.)? *assault|assault.*(deadly|weapon)|shooting"),
    ("family_disturbance", r"domestic|family (disturb|viol|troub)"),
    ("assault", r"assault|battery|threat|intimidation"),
    ("burglary", r"burglary|breaking"),
    ("vehicle_theft", r"(auto|vehicle|motor|car).*(theft|stolen)|stolen (auto|vehicle|car)|theft of (motor )?vehicle"),
    ("theft", r"theft|larceny|shoplift|stolen|steal"),
    ("arson", r"arson"),
    ("fraud", r"fraud|forgery|embezzl|counterfeit|identity|bad check"),
    ("vandalism", r"vandal|graffiti|mischief|property damage|damage (to )?property"),
    ("drugs", r"drug|narcotic|controlled sub|marijuana|overdose"),
    ("impaired_driving", r"\bd[uw]i\b|impaired|driving under|drunk driv"),
    ("weapons", r"weapon|firearm|\bgun\b"),
    ("trespass", r"trespass"),
    ("traffic", r"traffic|accident|collision|crash|hit (and|&) run|parking|speeding"),
    ("missing_person", r"missing|runaway"),
    ("alarm", r"alarm"),
    ("welfare", r"welfare|mental|suicid|medical|check on"),
    ("disorder", r"disorder|disturb|noise|fight|intoxic|loiter|nuisance"),
    ("administrative", r"follow.?up|administrative|information only|assist"),
)
_STATUSES: tuple[tuple[str, str], ...] = (
    ("cleared_exceptional", r"exception"),
    ("not_cleared", r"not cleared|unsolved|suspend|inactive|uncleared"),
    ("cleared_arrest", r"arrest"),
    ("open", r"open|pending|active|invest|progress|new"),
    ("closed", r"clos|complet|resolv|clear|unfounded|cancel|duplicate"),
)


def texts(draft: Draft) -> dict[str, str]:
    """Return the crosswalk files by name, none for a feed without codes."""
    guess = draft.guess
    found = {}
    if guess.code is not None and draft.kind not in CONSTANT:
        words = _words_of(draft, guess.code, guess.description)
        column = draft.code_column(guess.code)
        rows = [(code, _obvious(words.get(code, code), _CATEGORIES, "unmapped")) for code in _codes(draft, guess.code)]
        found[f"{column}.csv"] = _csv((column, "category"), rows)
    if guess.status is not None:
        column = draft.code_column(guess.status)
        rows = [(code, _obvious(code, _STATUSES, "unknown")) for code in _codes(draft, guess.status)]
        found[f"{column}.csv"] = _csv((column, "status"), rows)
    return found


def _codes(draft: Draft, column: str) -> list[str]:
    """Return the sample's codes, sorted, without those that a crosswalk cannot hold: patterns and line breaks."""
    codes = {value.strip() for value in draft.dataset.values(column)}
    fit = {code for code in codes if is_plain(code) and len(code) <= LONGEST_CODE and "%" not in code}
    return sorted(fit)[:MOST_CODES]


def _words_of(draft: Draft, code: str, description: str | None) -> dict[str, str]:
    """Return the words beside each code, where they are nearly always the same: else they are not about the code."""
    if description is None:
        return {}
    beside: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in draft.dataset.rows:
        if (value := row.get(code)) is not None and (words := row.get(description)) is not None:
            beside[value.strip()][words] += 1
    commonest = {value: counted.most_common(1)[0] for value, counted in beside.items()}
    return {value: words for value, (words, rows) in commonest.items() if rows >= AGREED * beside[value].total()}


def _obvious(words: str, table: tuple[tuple[str, str], ...], otherwise: str) -> str:
    return next((target for target, pattern in table if re.search(pattern, words, re.IGNORECASE)), otherwise)


def _csv(header: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([header, *rows])
    return file.getvalue()
