"""The figures of processes that meet in one folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from web import health


def test_a_killed_process_leaves_no_live_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    kept = {f"gauge_livemax_{os.getpid()}.db", f"counter_{gone.pid}.db"}
    for name in (*kept, f"gauge_livemax_{gone.pid}.db"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    health.forget_dead()
    assert {file.name for file in tmp_path.iterdir()} == kept


def test_without_a_folder_there_is_nothing_to_strike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    health.forget_dead()
