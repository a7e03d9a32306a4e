"""Half a minute of the soak: what leaks at once is found at once (`make soak` takes an hour)."""

from __future__ import annotations

import pytest

from benchmarks import soak, stage


def test_nothing_leaks_in_half_a_minute_of_mixed_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "APPENDFSYNC", "no")  # a busy disk would hold up answers
    # How many receipts and jobs wait meanwhile says how busy the machine is with other things;
    # that nothing is left of them at the end, `soak` sees to.
    samples = soak.soak(0.5, say=lambda _: None)
    found = {each.what: each for each in soak.judge(samples)}
    for what in ("descriptors they grow by", "keys without an end grow by"):
        assert found[what].holds, found[what]
    assert found["answers of 5xx"].found == 0
    assert samples[-1].requests >= soak.CHUNK
