"""The demo is a folder of scripts: its modules are imported as they import each other."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo"


@pytest.fixture(scope="session")
def demo_folder():
    return DEMO


@pytest.fixture
def load(monkeypatch):
    """Import a module of the demo, and forget it afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(DEMO))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(DEMO)):
            del sys.modules[name]
