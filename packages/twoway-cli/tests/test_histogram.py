from __future__ import annotations

import math
import random

import pytest

from twoway.cli._histogram import Histogram


def test_nothing_yet():
    histogram = Histogram()
    assert (histogram.count, histogram.mean, histogram.percentile(50), histogram.most) == (0, 0.0, 0.0, 0.0)
    assert histogram.least == math.inf


@pytest.mark.parametrize("percent", [0.1, 10, 50, 90, 99, 99.9, 100])
def test_percentiles_are_right_to_a_percent(percent):
    generator = random.Random(1)
    durations = [generator.lognormvariate(-6, 2) for _ in range(5000)]
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    exact = sorted(durations)[math.ceil(len(durations) * percent / 100) - 1]
    assert histogram.percentile(percent) == pytest.approx(exact, rel=0.01)
    assert histogram.mean == pytest.approx(sum(durations) / len(durations))
    assert (histogram.least, histogram.most) == (min(durations), max(durations))


def test_no_time_at_all():
    histogram = Histogram()
    histogram.add(0.0)
    assert histogram.percentile(99) == 0.0
