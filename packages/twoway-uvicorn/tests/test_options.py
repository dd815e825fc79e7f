"""Settings of uvicorn as those of a connection."""

from __future__ import annotations

import pytest
import uvicorn

from twoway.uvicorn._options import make_options


def options(**settings):
    return make_options(uvicorn.Config("app:app", log_config=None, **settings))


def test_defaults():
    made = options()
    assert made.max_sizes[0] == 16 * 1024 * 1024
    assert (made.ping_interval, made.ping_timeout, made.open_timeout) == (20, 20, None)
    assert [factory.name for factory in made.extensions] == ["permessage-deflate"]


def test_each_setting():
    made = options(ws_max_size=5, ws_ping_interval=0, ws_ping_timeout=None, ws_per_message_deflate=False)
    assert made.max_sizes[0] == 5
    assert (made.ping_interval, made.ping_timeout, made.extensions) == (None, None, ())


def test_equal_settings_are_shared():
    assert options() is options()
    assert options(ws_max_size=6) is not options()


def test_a_setting_out_of_range():
    with pytest.raises(ValueError, match="max_size"):
        options(ws_max_size=-1)
