"""What the page of a feed says, against the files that it is made of."""

from __future__ import annotations

import pytest

from civicwire.settings import ROOT
from civicwire.site import feeds
from producers import catalog
from schemas import loader
from stream_jobs import crosswalk, jobs

SOURCES = catalog.load_all()


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return {page.path: page.text for page in feeds.pages()}


def test_every_feed_has_a_page_and_nothing_else_has_one(made):
    keys = {path.stem for path in (ROOT / "producers" / "sources").glob("*.yaml")}
    assert made.keys() == {"feeds/index.md", *(f"feeds/{key}.md" for key in keys)}


def test_a_feed_that_is_gone_leaves_no_page_behind():
    one = {"san_diego_calls": SOURCES["san_diego_calls"]}
    index, *others = feeds.pages(one)
    assert [page.path for page in others] == ["feeds/san_diego_calls.md"]
    assert "austin" not in index.text


@pytest.mark.parametrize("key", SOURCES)
def test_a_page_names_every_column_and_every_field_of_the_event(key, made):
    lines = made[f"feeds/{key}.md"].splitlines()
    envelope = [name for name in loader.field_names(f"raw/{key}") if name != "row"]
    for name in [*SOURCES[key].columns, *envelope]:
        assert any(line.startswith(f"| `{name}` |") for line in lines), name


@pytest.mark.parametrize("key", SOURCES)
def test_a_page_says_what_a_row_is_and_how_far_it_can_be_compared(key, made):
    source, text = SOURCES[key], made[f"feeds/{key}.md"]
    for said in (source.licence, source.time_zone, f"`{source.drift}`", source.counts.unit, source.protocol.host):
        assert said in text
    breaks = text.split("## Breaks")[1].split("## Columns")[0]
    for one in source.breaks:
        assert f"| {one.date.isoformat()} | `{one.effect}` |" in breaks
    assert ("None is known" in breaks) is not bool(source.breaks)


@pytest.mark.parametrize("key", SOURCES)
def test_a_page_holds_its_files_as_they_are(key, made):
    shown = [line.strip() for line in made[f"feeds/{key}.md"].splitlines()]
    files = (catalog.FOLDER / f"{key}.yaml", loader.FOLDER / "raw" / f"{key}.avsc", jobs.NORMALIZE / f"{key}.sql")
    for file in files:
        whole = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        begin = shown.index(f'??? note "{file.relative_to(ROOT).as_posix()}"') + 3
        assert shown[begin : begin + len(whole)] == whole


@pytest.mark.parametrize("key", SOURCES)
def test_a_page_says_what_its_crosswalks_reach(key, made):
    codes = made[f"feeds/{key}.md"].split("## Codes")[1].split("## The raw event")[0]
    walks = crosswalk.of_source(key)
    for target, walk in walks.items():
        (line,) = [line for line in codes.splitlines() if line.startswith(f"| `{walk.column}` | `{target}` |")]
        assert (f"{len(walk.exact)} codes" in line) is bool(walk.exact)
        assert (f"{len(walk.patterns)} patterns" in line) is bool(walk.patterns)
    for file in crosswalk.folder(key).glob("*.csv"):
        assert file.relative_to(ROOT).as_posix() in codes
    assert ("No crosswalk" in codes) is not bool(walks)


def test_words_that_a_crosswalk_never_gives_are_named(made):
    reached = made["feeds/austin_crime_reports.md"]
    assert "`unmapped`," not in reached, "it says that a code is in no crosswalk"
    assert "| `clearance_status` | `status` | 3 codes | 3 of 6, not `open`, `closed`, `unknown` |" in reached


@pytest.mark.parametrize(("minutes", "said"), [(1440, "day"), (10080, "7 days"), (720, "12 hours"), (90, "90 minutes")])
def test_a_cadence_is_told_in_its_largest_whole_unit(minutes, said):
    assert feeds.every(minutes) == said
