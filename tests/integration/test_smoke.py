"""The smoke test of a BigQuery project, run against the emulator."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from civicwire.settings import ROOT


@pytest.mark.chaos  # three minutes, and the demo has shown the same to CI
def test_the_smoke_test_passes_against_the_emulator_and_leaves_nothing_running(tmp_path):
    there = {name: value for name, value in os.environ.items() if not name.startswith("CIVICWIRE_")}
    done = subprocess.run(
        [sys.executable, "-m", "civicwire.smoke"],
        cwd=ROOT,
        env={**there, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("equal  ") == 6 + 7  # figures of two feeds, and a panel of every dashboard
    assert "DIFFERS" not in done.stdout
    assert list(tmp_path.glob("civicwire-smoke-*")) == []
