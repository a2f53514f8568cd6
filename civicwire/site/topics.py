"""A page for every topic, of the list of topics and their Avro files."""

from __future__ import annotations

from civicwire.site import avro, feeds
from civicwire.site.markdown import Page, code, codes, escaped, sections, table
from producers import catalog
from schemas import loader, topics
from schemas.topics import Topic

FOLDER = "topics"


def pages() -> list[Page]:
    """Return the page of each shared topic, and before them one that lists them and the feeds' raw ones."""
    shared = sorted(topics.SHARED, key=lambda topic: topic.name)
    return [_index(shared), *map(_page, shared)]


def _index(shared: list[Topic]) -> Page:
    rows = [
        (f"[{code(topic.name)}]({topic.name}.md)", escaped(str(loader.document(topic.schema)["doc"])))
        for topic in shared
    ]
    raw = [
        (f"[{code(topics.raw(key).name)}](../{feeds.path(key)})", escaped(str(loader.document(f"raw/{key}")["doc"])))
        for key in catalog.load_all()
    ]
    return Page(
        f"{FOLDER}/index.md",
        "Topics",
        sections(
            "Every topic is kept for ever: topics are the only durable state. Schemas only ever grow.",
            table(("topic", "a record is"), rows),
            "## The feeds' raw topics",
            "Their schemas are on the feeds' pages.",
            table(("topic", "a record is"), raw),
        ),
    )


def _page(topic: Topic) -> Page:
    schema = loader.document(topic.schema)
    settings = [f"{name}={value}" for name, value in topic.config.items()]
    rows = [
        ("partitions", str(topic.partitions)),
        ("subject in the registry", code(topic.subject)),
        ("settings", codes(settings)),
    ]
    return Page(
        f"{FOLDER}/{topic.name}.md",
        topic.name,
        sections(
            escaped(str(schema["doc"])),
            table(("what", "of this topic"), rows),
            "## Fields",
            avro.fields(schema),
            "## Its file",
            avro.file(topic.schema),
        ),
    )
