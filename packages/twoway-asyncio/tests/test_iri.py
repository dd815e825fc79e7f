"""Addresses beyond ASCII, as people write them."""

from __future__ import annotations

import pytest

from twoway.asyncio import connect


@pytest.mark.feature("internationalised addresses")
async def test_path_and_query_are_encoded(serving):
    async with serving() as (_, uri), connect(uri + "größe?maß=½&x=%20") as client:
        assert client.request.path == "/gr%C3%B6%C3%9Fe?ma%C3%9F=%C2%BD&x=%20"


@pytest.mark.feature("internationalised addresses")
async def test_the_host_is_encoded(serving):
    async with serving() as (server, _):
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://müller.example:{port}/", host="127.0.0.1") as client:
            assert client.request.headers["Host"] == f"xn--mller-kva.example:{port}"
