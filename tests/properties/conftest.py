"""
What must be so for any input: hypothesis looks for one for which it is not.

``--hypothesis-profile=long`` looks for longer; without it the whole folder takes less than a minute.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# Timings are no property, and data that takes long to make is no problem.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("short", max_examples=60, stateful_step_count=40, **_COMMON)
settings.register_profile("long", max_examples=3000, stateful_step_count=100, **_COMMON)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("short")
