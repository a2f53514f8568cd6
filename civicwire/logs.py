"""What long-running commands say: one event a line on stderr, JSON for machines and columns for a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog


def configure(form: Literal["auto", "json", "console"] = "auto") -> None:
    """Set the process's log up; ``auto`` is JSON unless stderr is a terminal.

    Every event has ``timestamp`` (ISO, UTC), ``level`` and ``event``; the rest is the event's own.
    """
    pretty = sys.stderr.isatty() if form == "auto" else form == "console"
    last: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(default=str)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
