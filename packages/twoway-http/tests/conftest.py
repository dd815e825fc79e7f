from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from twoway.http import HTTPError, HTTPLimits, RequestParser, ResponseParser


def _feed(parser: Any, chunks: list[bytes], eof: bool) -> tuple[Any, bytes]:
    """Return the message, or the error as text and status, and the rest."""
    messages = []
    try:
        for chunk in chunks:
            messages.append(parser.receive_data(chunk))
        if eof:
            messages.append(parser.receive_eof())
    except HTTPError as exc:
        return (type(exc), str(exc), exc.status), parser.take_rest()
    found = [message for message in messages if message is not None]
    assert len(found) <= 1
    return (found[0] if found else None), parser.take_rest()


def _chunkings(data: bytes) -> Iterator[list[bytes]]:
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    if len(data) < 1000:
        for cut in range(len(data)):
            yield [data[:cut], data[cut:]]


def _parse(make: Callable[[], Any], data: bytes, eof: bool) -> tuple[Any, bytes]:
    outcomes = [_feed(make(), chunks, eof) for chunks in _chunkings(data)]
    for outcome in outcomes:
        assert outcome == outcomes[0]
    return outcomes[0]


@pytest.fixture
def parse_request() -> Callable[..., tuple[Any, bytes]]:
    """Parse a request in every chunking, which must not matter; return (request or error facts, rest)."""

    def parse(data: bytes, *, eof: bool = False, **limits: int) -> tuple[Any, bytes]:
        return _parse(lambda: RequestParser(HTTPLimits(**limits)), data, eof)

    return parse


@pytest.fixture
def parse_response() -> Callable[..., tuple[Any, bytes]]:
    """Parse a response in every chunking, which must not matter; return (response or error facts, rest)."""

    def parse(data: bytes, *, eof: bool = False, method: str = "GET", **limits: int) -> tuple[Any, bytes]:
        return _parse(lambda: ResponseParser(HTTPLimits(**limits), method=method), data, eof)

    return parse
