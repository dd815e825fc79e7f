"""What users see of the package."""

from __future__ import annotations

import inspect

import uvicorn

import twoway.uvicorn


def test_all_is_exact():
    assert twoway.uvicorn.__all__ == ["WebSocketProtocol"]


def test_it_says_where_it_is_imported_from_and_what_it_is_for():
    item = twoway.uvicorn.WebSocketProtocol
    assert item.__module__ == "twoway.uvicorn"
    public = [value for key, value in vars(item).items() if not key.startswith("_")]
    assert all(inspect.getdoc(value) for value in [item, *public])


def test_uvicorn_finds_it_by_the_name_that_the_documentation_has():
    config = uvicorn.Config("app:app", ws="twoway.uvicorn:WebSocketProtocol", log_config=None)
    config.app = lambda scope, receive, send: None
    config.load()
    assert config.ws_protocol_class is twoway.uvicorn.WebSocketProtocol
