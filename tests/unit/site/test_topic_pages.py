"""What the page of a topic says, against the list of topics and their Avro files."""

from __future__ import annotations

import pytest

from civicwire.site import avro
from civicwire.site import topics as pages
from producers import catalog
from schemas import loader, topics


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return {page.path: page.text for page in pages.pages()}


def test_every_topic_has_a_page_and_nothing_else_has_one(made):
    assert made.keys() == {"topics/index.md", *(f"topics/{topic.name}.md" for topic in topics.SHARED)}
    for key in catalog.load_all():
        assert f"[`raw.{key}`](../feeds/{key}.md)" in made["topics/index.md"]


@pytest.mark.parametrize("topic", topics.SHARED, ids=lambda topic: topic.name)
def test_a_page_names_every_field_of_the_schema(topic, made):
    lines = made[f"topics/{topic.name}.md"].splitlines()
    for name in loader.field_names(topic.schema):
        assert any(line.startswith(f"| `{name}` |") for line in lines), name


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("string", "string"),
        (["null", "string"], "string or null"),
        (["null", {"type": "long", "logicalType": "timestamp-millis"}], "timestamp-millis or null"),
        ({"type": "map", "values": "string"}, "map of string"),
        ({"type": "array", "items": ["null", "long"]}, "array of long or null"),
        ({"type": "record", "name": "row", "fields": []}, "row"),
    ],
)
def test_a_type_is_told_in_words(written, said):
    assert avro.kind(written) == said
