"""What the shutdown of a server came to."""

from __future__ import annotations

import pickle

import pytest

from twoway.protocol import ShutdownReport


def test_a_report_is_a_value() -> None:
    report = ShutdownReport(1, 2, 3, 4, 5)
    assert repr(report) == "ShutdownReport(closed=1, aborted=2, refused=3, cancelled=4, abandoned=5)"
    assert report == ShutdownReport(closed=1, aborted=2, refused=3, cancelled=4, abandoned=5)
    assert pickle.loads(pickle.dumps(report)) == report
    with pytest.raises(AttributeError):
        report.closed = 0
