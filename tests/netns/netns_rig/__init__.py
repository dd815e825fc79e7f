"""Two hosts, and a link between them that loses packets."""

from __future__ import annotations
