"""The load command's own arguments."""

from __future__ import annotations

import json

import pytest

from civicwire.commands import load
from schemas.errors import ConfigError
from stream_jobs.warehouse.writer import Report, TableReport


def test_a_message_to_skip_is_topic_partition_and_offset() -> None:
    assert load._message("raw.x:1:42") == ("raw.x", 1, 42)


@pytest.mark.parametrize("text", ["incidents", "incidents:1", "incidents:a:1", "incidents:0:-1", ""])
def test_anything_else_to_skip_is_refused_with_the_form_to_use(text: str) -> None:
    with pytest.raises(ConfigError, match="TOPIC:PARTITION:OFFSET"):
        load._message(text)


def test_messages_are_counted_once_though_two_tables_take_them(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report({"incident_revisions": TableReport(5, 5, 0.1), "incidents": TableReport(5, 4, 0.2)}, batches=1)
    report.tables |= {"indicator_revisions": TableReport(0, 0, 0.1), "indicators": TableReport(0, 0, 0.1)}
    load._print(report, as_json=False)
    printed = capsys.readouterr().out
    assert "5 messages in 1 batches" in printed
    load._print(report, as_json=True)
    assert json.loads(capsys.readouterr().out)["tables"]["incidents"]["merged"] == 4
