"""The page that teaches adding a city is true: its commands are run, and they print what it says they print."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from civicwire.settings import ROOT

pytestmark = pytest.mark.parts
PAGE = (ROOT / "docs" / "add-a-city.md").read_text(encoding="utf-8")
_STEP = re.compile(r"^```sh\n(?P<commands>.*?)^```\n(?:```text\n(?P<promised>.*?)^```\n)?", re.MULTILINE | re.DOTALL)
STEPS = [(step["commands"], (step["promised"] or "").splitlines()) for step in _STEP.finditer(PAGE)]
MARK = "=== end of step"


@pytest.fixture
def copy(checkout: Any) -> Iterator[Any]:
    """A copy of the checkout whose stack is stopped however far the page got."""
    yield checkout
    checkout.run("civicwire.cli", "down", "--purge")


def promised(line: str) -> re.Pattern[str]:
    """A line of the page as a pattern: `…` is anything, and runs of blanks are one."""
    return re.compile(r".*?".join(map(re.escape, " ".join(line.split()).split("…"))))


def test_every_step_of_the_page_prints_what_the_page_says(copy: Any):
    assert len(STEPS) >= 7
    assert sum(len(lines) for _, lines in STEPS) >= 30
    script = "".join(f"{commands}\necho '{MARK}'\n" for commands, _ in STEPS)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=copy.folder,
        env=copy.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1_000,
    )
    printed = done.stdout.split(MARK)
    assert done.returncode == 0, f"step {len(printed)}:\n{printed[-1]}\n{done.stderr[-3000:]}"
    for (commands, lines), output in zip(STEPS, printed, strict=False):
        plain = " ".join(output.split())
        for line in lines:
            assert promised(line).search(plain), f"{line!r} was not printed by\n{commands}\nbut\n{output}"
