"""Latencies without end, in little memory."""

from __future__ import annotations

import math

# Each bucket is wider than the one before by this factor: what is told is right to half a percent.
_GROWTH = math.log(1.01)
_LEAST = 1e-9


class Histogram:
    """
    Count durations.

    Attributes:
        count: How many there are.
        total: Their sum; seconds.
        least: The shortest; seconds, infinite before the first.
        most: The longest; seconds, 0 before the first.

    Cost:
        Memory for about 2,800 numbers at most: one bucket for each percent from a nanosecond to an hour.
    """

    __slots__ = ("_buckets", "count", "least", "most", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.least = math.inf
        self.most = 0.0

    def add(self, duration: float) -> None:
        """
        Count a duration.

        Args:
            duration: Seconds; what is below a nanosecond counts as one.
        """
        bucket = round(math.log(max(duration, _LEAST)) / _GROWTH)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1
        self.total += duration
        self.least = min(self.least, duration)
        self.most = max(self.most, duration)

    @property
    def mean(self) -> float:
        """Give the mean; seconds, 0 if there are none."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """
        Find the duration that so many percent do not exceed.

        Args:
            percent: 0 to 100.

        Returns:
            Seconds, within half a percent; 0 if there are none.
        """
        left = math.ceil(self.count * percent / 100)
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return min(max(math.exp(bucket * _GROWTH), self.least), self.most)
        return self.most
