"""What the tests with faults of the network and of peers are made of."""

from __future__ import annotations
