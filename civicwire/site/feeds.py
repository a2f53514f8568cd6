"""A page for every feed, of its source file, Avro file, normalise file and crosswalks."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from itertools import takewhile

from civicwire import lineage
from civicwire.site import avro
from civicwire.site.markdown import Page, block, code, codes, escaped, folded, sections, table
from producers import catalog
from producers.catalog import Ckan, CsvFile, Socrata, Source
from schemas import loader, topics
from stream_jobs import crosswalk, jobs, taxonomy

FOLDER = "feeds"
NORMALIZE = "stream_jobs/normalize"
_MINUTES = {"day": 1440, "hour": 60, "minute": 1}


def pages(sources: dict[str, Source] | None = None) -> list[Page]:
    """Return the page of each feed, and before them one that lists them; of every feed where none are named."""
    found = catalog.load_all() if sources is None else sources
    return [_index(found.values()), *map(_page, found.values())]


def path(key: str) -> str:
    """Return the path of a feed's page."""
    return f"{FOLDER}/{key}.md"


def _index(sources: Iterable[Source]) -> Page:
    rows = [
        (
            f"[{escaped(one.title)}]({one.key}.md)",
            code(one.key),
            one.protocol.name,
            escaped(one.counts.unit),
            every(one.cadence_minutes),
        )
        for one in sources
    ]
    return Page(
        f"{FOLDER}/index.md",
        "Feeds",
        sections(
            "Rows of different feeds are different things: only those of one unit may be added up. To add a feed: "
            "[Add a city in 20 minutes](../docs/add-a-city.md).",
            table(("feed", "key", "protocol", "counts", "looked at every"), rows),
        ),
    )


def _page(source: Source) -> Page:
    schema = loader.document(f"raw/{source.key}")
    return Page(
        path(source.key),
        source.title,
        sections(
            escaped(_introduction(source.key)),
            _what_it_is(source),
            "## Breaks",
            _breaks(source),
            "## Columns",
            f"Each row as published, in the field `row` of the topic `{topics.raw(source.key).name}`: "
            + escaped(str(schema["doc"])),
            _columns(source),
            "## Codes",
            _codes(source),
            "## The raw event",
            "What stands beside the row. Key of the record: the `record_id`.",
            avro.fields(schema, but="row"),
            avro.file(f"raw/{source.key}"),
            "## Its files",
            _file(f"producers/sources/{source.key}.yaml", (catalog.FOLDER / f"{source.key}.yaml").read_text("utf-8")),
            _normalise(source.key),
        ),
    )


def _introduction(key: str) -> str:
    """Return the comment with which a source file begins."""
    lines = (catalog.FOLDER / f"{key}.yaml").read_text(encoding="utf-8").splitlines()
    return " ".join(line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), lines))


def _what_it_is(source: Source) -> str:
    identity = codes(source.key_columns) or "the hash of the row and a number for equal rows: it has no key"
    rows = [
        ("key", code(source.key)),
        ("a row counts", f"{code(source.counts.unit)}: {escaped(source.counts.means)}"),
        ("becomes", f"{_tables(source.key)}, kind {code(source.kind)}"),
        ("publisher", escaped(_publisher(source))),
        ("licence", escaped(source.licence)),
        ("protocol", f"{source.protocol.name} {source.protocol.version}"),
        ("identity of a row", identity),
        ("time of the event", f"{code(source.event_time)}, written as {code(source.event_time_format)}"),
        ("time zone", source.time_zone),
        ("cadence", f"looked at every {every(source.cadence_minutes)}"),
        ("when columns change", f"{code(source.drift)}: {escaped(_meaning('drift', source.drift))}"),
        ("rows that leave", _window(source)),
        ("not believed", f"a complete scan that loses more than {source.shrink_limit:.0%} of the rows"),
    ]
    return table(("what", "of this feed"), rows)


def _publisher(source: Source) -> str:
    match source.protocol:
        case Socrata(host=host, dataset=dataset):
            return f"{host}, dataset {dataset}"
        case CsvFile(host=host, path=str(where)):
            return f"{host}{where}"
        case CsvFile(host=host, files=files):
            return f"{host}, a file for each of {', '.join(map(str, sorted(files)))}"
        case Ckan(host=host, resource=resource):
            return f"{host}, resource {resource}"
        case other:
            return f"{other.host}{other.service}"


def every(minutes: int) -> str:
    """Return a cadence in its largest whole unit."""
    unit, size = next((unit, size) for unit, size in _MINUTES.items() if minutes % size == 0)
    count = minutes // size
    return unit if count == 1 else f"{count} {unit}s"


def _meaning(field: str, word: str) -> str:
    """Return what the catalog's description of a field says of one of its words."""
    described = catalog.Source.model_fields[field].description or ""
    said = dict(one.split(": ", 1) for one in described.split("; ") if ": " in one)
    return said[word]


def _window(source: Source) -> str:
    window = source.rolling_window
    if window is None:
        return "are deleted: the publisher keeps all of them"
    span = f"{window.years} years and the current one" if window.years else f"{window.months} months"
    return f"have expired: the publisher keeps {span}"


def _tables(key: str) -> str:
    filled = [text.split(maxsplit=3)[2] for text in jobs.statements(jobs.NORMALIZE / f"{key}.sql") if _fills(text)]
    return ", ".join(f"[{name}](../topics/{name}.md)" for name in dict.fromkeys(filled))


def _fills(statement: str) -> bool:
    return statement.startswith("insert into") and not statement.startswith("insert into dead_letters")


def _breaks(source: Source) -> str:
    if not source.breaks:
        return "None is known: all of its rows can be compared."
    rows = [(one.date.isoformat(), code(one.effect), escaped(one.what)) for one in source.breaks]
    effect = escaped(str(catalog.Break.model_fields["effect"].description))
    return sections(
        "From these days on, by the time of the event, rows cannot be compared with earlier ones without saying so.",
        table(("day", "effect", "what happened, and how that is known"), rows),
        f"*{effect}.*",
    )


def _columns(source: Source) -> str:
    fields = next(one for one in loader.document(f"raw/{source.key}")["fields"] if one["name"] == "row")["type"]
    published = {ours: theirs for theirs, ours in source.renames.items()}
    rows = []
    for field in fields["fields"]:
        name = field["name"]
        marks = [
            *(["key"] if name in source.key_columns else []),
            *(["time of the event"] if name == source.event_time else []),
            *([f"published as {code(published[name])}"] if name in published else []),
            *(["codes are watched"] if name in source.vocabularies else []),
        ]
        said = " ".join([escaped(field.get("doc", "")), *([f"*({', '.join(marks)})*"] if marks else [])])
        rows.append((code(name), avro.kind(field["type"]), said, _depend(source, name)))
    left_out = f"Left out: {codes(source.ignore_columns)}." if source.ignore_columns else ""
    heading = ("column", "type", "what it is", "columns of the model that depend on it")
    return sections(table(heading, rows), left_out)


def _depend(source: Source, column: str) -> str:
    return codes(sorted({name for names in lineage.model_columns(source.key, column).values() for name in names}))


def _codes(source: Source) -> str:
    folder = crosswalk.folder(source.key)
    watched = codes(source.vocabularies)
    said = f"A value never seen before of {watched} is a [drift event](../topics/drift.md)." if watched else ""
    walks = crosswalk.of_source(source.key)
    if not walks:
        return sections(said, "No crosswalk: its values are read by the normalise file alone.")
    rows = [(code(one.column), code(target), _size(one), _reach(one)) for target, one in walks.items()]
    headings = ("column", "gives", "lists", "words of ours that it reaches")
    return sections(
        said,
        "What its crosswalks map. A code that none lists becomes `unmapped`.",
        table(headings, rows),
        *(
            _listed(file.relative_to(crosswalk.FOLDER.parent.parent).as_posix())
            for file in sorted(folder.glob("*.csv"))
        ),
    )


def _size(walk: crosswalk.Crosswalk) -> str:
    unmapped = [*walk.exact.values(), *walk.patterns.values()].count("")
    sizes = {"codes": len(walk.exact), "patterns": len(walk.patterns), "left unmapped on purpose": unmapped}
    return ", ".join(f"{count} {what}" for what, count in sizes.items() if count)


def _reach(walk: crosswalk.Crosswalk) -> str:
    words = _vocabulary(walk.target)
    if not words:
        return "its own words"
    reached = {*walk.exact.values(), *walk.patterns.values()}
    missing = [word for word in words if word not in reached]
    return f"{len(words) - len(missing)} of {len(words)}" + (f", not {codes(missing)}" if missing else "")


def _vocabulary(target: str) -> tuple[str, ...]:
    """Return the closed vocabulary of a target such as victim_sex or category_by_words, none for words of the feed."""
    parts = target.split("_")
    if "category" in parts:
        return tuple(name for name in taxonomy.categories() if name != "unmapped")
    named = (words for name, words in taxonomy.VOCABULARIES.items() if target == name or name in parts)
    return next(named, ()) if "words" not in parts else ()


def _listed(name: str) -> str:
    with (crosswalk.FOLDER.parent.parent / name).open(encoding="utf-8", newline="") as lines:
        first, *targets = next(rows := csv.reader(lines))
        listed = [(code(row[0]), *map(escaped, row[1:])) for row in rows]
    return folded(name, table((first, *targets), listed))


def _file(name: str, text: str) -> str:
    return folded(name, block(text, name.rsplit(".", 1)[1]))


def _normalise(key: str) -> str:
    return _file(f"{NORMALIZE}/{key}.sql", (jobs.NORMALIZE / f"{key}.sql").read_text(encoding="utf-8"))
