"""Our clients are sent elsewhere by nginx and Apache."""

from __future__ import annotations

import pytest

from twoway.auth import Redirects
from twoway.protocol import InvalidStatus


def tell(connection):
    connection.send(connection.request.path)


@pytest.fixture(params=["nginx", "apache2"])
def mover(request, make_site):
    return make_site(request.param, "tcp")


@pytest.fixture
def nginx(make_site):
    return make_site("nginx", "tcp")


def test_to_another_path(mover):
    with mover.serve(tell):
        with mover.connect("/moved/") as client:
            assert client.recv() == "/chat"
        with pytest.raises(InvalidStatus, match="HTTP 301$"), mover.connect("/moved/", redirects=False):
            pass


def test_from_plain_to_tls(nginx, trust, monkeypatch):
    monkeypatch.setattr("ssl.create_default_context", lambda *args, **kwargs: trust)
    with nginx.serve(tell), nginx.connect("/secure/", auth=("ada", "x")) as client:
        assert client.recv() == "/chat"
        assert client.request.headers["Host"] != nginx.uri().split("/")[2]


def test_from_tls_to_plain(make_site):
    site = make_site("nginx", "tls")
    with site.serve(tell):
        with pytest.raises(InvalidStatus, match="it leads from wss to ws"), site.connect("/plain/"):
            pass
        with site.connect("/plain/", redirects=Redirects(allow_downgrade=True)) as client:
            assert client.recv() == "/chat"


def test_in_a_loop(nginx):
    with (
        pytest.raises(InvalidStatus, match="it leads in a loop, ws://.*/loop/ -> ws://.*/loop/"),
        nginx.connect("/loop/"),
    ):
        pass


def test_through_a_proxy(nginx, squid):
    with nginx.serve(tell), nginx.connect("/moved/", proxy=f"http://127.0.0.1:{squid.ports['plain']}") as client:
        assert client.recv() == "/chat"
