"""Pages that are written by hand: what becomes of their links, code and diagrams."""

from __future__ import annotations

import pytest

from civicwire.site.checkout import Pages


@pytest.fixture
def read(tmp_path):
    """Return what the page docs/page.md with a text becomes, and what it asked for."""
    for path in ("schemas/event.avsc", ".env.example", "docs/other.md", "docs/picture.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("{}\n", encoding="utf-8")

    def becomes(text: str) -> tuple[str, Pages]:
        (tmp_path / "docs" / "page.md").write_text(text, encoding="utf-8")
        pages = Pages(tmp_path)
        return pages.read("docs/page.md"), pages

    return becomes


def test_a_link_to_a_page_stays_as_it_is(read):
    text, pages = read("See [other](other.md#part) and [elsewhere](https://example.org/x.py).")
    assert text == "See [other](other.md#part) and [elsewhere](https://example.org/x.py)."
    assert not pages.files()


def test_a_link_to_code_leads_to_a_page_that_shows_it(read):
    text, pages = read("See [the schema](../schemas/event.avsc) and [settings](../.env.example).")
    assert text == "See [the schema](../files/schemas/event.avsc.md) and [settings](../files/env.example.md)."
    schema = next(page for page in pages.files() if page.path == "files/schemas/event.avsc.md")
    assert "```json\n{}\n```" in schema.text
    assert schema.text.startswith("---\nsearch: {exclude: true}\n---\n"), "a search for a word finds no heap of code"


def test_a_link_that_leads_nowhere_is_left_for_mkdocs_to_refuse(read):
    text, pages = read("See [the schema](../schemas/gone.avsc).")
    assert text == "See [the schema](../schemas/gone.avsc)."
    assert not pages.files()


def test_a_picture_is_copied(read):
    text, pages = read("![what it looks like](picture.png)")
    assert text == "![what it looks like](picture.png)"
    assert pages.linked == {"docs/picture.png"}


def test_code_is_left_alone(read):
    block = "```sh\ncat [x](../schemas/event.avsc)\n```\n"
    text, pages = read(block)
    assert text == block
    assert not pages.files()


def test_a_diagram_becomes_a_picture_and_what_follows_stays(read):
    text, pages = read("# One\n\n```mermaid\nflowchart LR\n  a --> b\n```\n\n## Two\n\n```\nmake\n```\n")
    assert list(pages.diagrams.values()) == ["flowchart LR\n  a --> b\n"]
    (path,) = pages.diagrams
    assert f"(../{path})" in text
    assert "mermaid" not in text
    assert text.endswith("## Two\n\n```\nmake\n```\n")
