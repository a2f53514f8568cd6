from __future__ import annotations

import json

import pytest
import structlog

from civicwire import logs


@pytest.fixture(autouse=True)
def as_before():
    yield
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json_on_stderr(capsys: pytest.CaptureFixture[str]):
    logs.configure("auto")
    structlog.get_logger("x").error("poll failed", source="austin", error='half a "line\n"')
    told = capsys.readouterr()
    assert told.out == ""
    event = json.loads(told.err)
    assert (event["level"], event["event"], event["source"]) == ("error", "poll failed", "austin")
    assert event["timestamp"].endswith("Z")


def test_a_person_reads_columns(capsys: pytest.CaptureFixture[str]):
    logs.configure("console")
    structlog.get_logger("x").info("polled", source="austin")
    assert not capsys.readouterr().err.startswith("{")
