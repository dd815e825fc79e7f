"""twoway.threading."""

from __future__ import annotations

import _blocking

from twoway.threading import connect, serve

_blocking.main(connect, serve)
