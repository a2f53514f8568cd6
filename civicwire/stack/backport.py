"""A shorter wait of Flink's Kafka source, which the connector of this lock has as a constant.

The source asks Kafka for ten seconds at a time, and offsets of a completed checkpoint are committed only when the
question ends: on a quiet topic ten seconds later (FLINK-40367). Whoever waits until a job has passed would wait as
long. Later connectors have the option ``poll.timeout.ms``; until one is published, the one class gets half a second in
a small archive that stands before the connector on the class path. A cluster without it has the same results, later.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from schemas.errors import FatalError

CONNECTOR = "flink-sql-connector-kafka-5.0.0-2.2.jar"
"""A newer one that has the option needs ``properties.poll.timeout.ms`` in ``stream_jobs/tables.py`` and not this."""
ARCHIVE = "flink-kafka-poll-timeout.jar"
"""Sorted before the connector, which is the order of the class path here and in Flink's own scripts."""
CLASS = "org/apache/flink/connector/kafka/source/reader/KafkaPartitionSplitReader.class"
UPSTREAM_MS, OURS_MS = 10_000, 500
_LONG = b"\x05"
"""Tag of a long in a class file's table of constants; eight bytes follow, the highest first."""
_NOTICE = f"""\
From {CONNECTOR} (Apache Flink Kafka connector, Apache License 2.0), changed by civicwire:
the constant of {UPSTREAM_MS} ms that the source polls for is {OURS_MS} ms.
"""


def make(folder: Path) -> None:
    """Write the archive into the folder that holds the connector, anew each time.

    Raises:
        FatalError: the class is not the one that this is made for.
    """
    with zipfile.ZipFile(folder / CONNECTOR) as connector:
        code = connector.read(CLASS)
    theirs = _LONG + UPSTREAM_MS.to_bytes(8, "big")
    if code.count(theirs) != 1:
        raise FatalError(f"{CONNECTOR} does not poll for {UPSTREAM_MS} ms: see what it does and adapt {__name__}.")
    arriving = folder / f"{ARCHIVE}.{os.getpid()}.arriving"
    with zipfile.ZipFile(arriving, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(zipfile.ZipInfo("META-INF/NOTICE"), _NOTICE)
        made.writestr(zipfile.ZipInfo(CLASS), code.replace(theirs, _LONG + OURS_MS.to_bytes(8, "big")))
    arriving.replace(folder / ARCHIVE)
