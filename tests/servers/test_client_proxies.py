"""Our clients through Squid, microsocks and Dante, as `connect` does it."""

from __future__ import annotations

from contextlib import contextmanager
from urllib.parse import quote

import pytest
from server_rig.program import free_ports

from twoway.http import Proxy
from twoway.protocol import InvalidProxyStatus, ProxyError, process_exception

USER, PASSWORD = "ada", "open sesame"
CREDENTIALS = f"{USER}:{quote(PASSWORD)}@"


@pytest.fixture
def converse(driver, health):
    """Connect to our server through a proxy, and talk with it."""

    def converse(host="127.0.0.1", **options):
        with driver.connect(f"ws://{host}:{health}/", **options) as client:
            client.send("hello")
            assert client.recv() == "hello"

    return converse


@pytest.fixture
def secure(driver, files, trust):
    """A context manager that gives the port of a server of ours with TLS."""
    import ssl

    from server_rig.drivers import echo

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files["chain"], files["key"])
    (port,) = free_ports(1)

    @contextmanager
    def secure():
        with driver.serve(echo, port, ssl=context):
            yield port

    return secure


@pytest.mark.parametrize("host", ["127.0.0.1", "server.test"])
def test_squid(converse, squid, host):
    converse(host, proxy=f"http://127.0.0.1:{squid.ports['plain']}")
    squid.wait_for_output(f"CONNECT {host}:")


def test_tls_through_squid(driver, squid, secure, trust):
    with (
        secure() as port,
        driver.connect(
            f"wss://127.0.0.1:{port}/", ssl=trust, proxy=f"http://127.0.0.1:{squid.ports['plain']}"
        ) as client,
    ):
        client.send("x" * 1_000_000)
        assert client.recv() == "x" * 1_000_000


@pytest.mark.parametrize("port", ["basic", "digest"])
def test_credentials_for_squid(converse, squid, port):
    converse(proxy=f"http://{CREDENTIALS}127.0.0.1:{squid.ports[port]}")


@pytest.mark.parametrize("port", ["basic", "digest"])
def test_credentials_beside_the_url_for_squid(converse, squid, port):
    converse(proxy=Proxy("http", "127.0.0.1", squid.ports[port]), proxy_auth=(USER, PASSWORD))


def test_squid_over_tls(converse, driver, squid, secure, trust):
    url = f"https://127.0.0.1:{squid.ports['tls']}"
    converse(proxy=url, proxy_ssl=trust)
    with (
        secure() as port,
        driver.connect(f"wss://127.0.0.1:{port}/", ssl=trust, proxy=url, proxy_ssl=trust) as client,
    ):
        for message in ("x" * 1_000_000, "y"):
            client.send(message)
            assert client.recv() == message


def test_squid_over_tls_must_be_trusted(converse, squid):
    with pytest.raises(ProxyError, match=r"(?i)certificate"):
        converse(proxy=f"https://127.0.0.1:{squid.ports['tls']}")


@pytest.mark.parametrize("port", ["basic", "digest"])
@pytest.mark.parametrize("credentials", ["", f"{USER}:wrong@"])
def test_squid_wants_other_credentials(converse, squid, port, credentials):
    with pytest.raises(InvalidProxyStatus, match="HTTP 407") as excinfo:
        converse(proxy=f"http://{credentials}127.0.0.1:{squid.ports[port]}")
    assert excinfo.value.response.headers["Proxy-Authenticate"].lower().startswith(port)
    assert "wrong" not in str(excinfo.value)


def test_squid_refuses(converse, squid):
    with pytest.raises(InvalidProxyStatus, match="HTTP 403") as excinfo:
        converse("forbidden.test", proxy=f"http://127.0.0.1:{squid.ports['plain']}")
    assert excinfo.value.proxy.port == squid.ports["plain"]


def test_nobody_answers(converse):
    (port,) = free_ports(1)
    with pytest.raises(ProxyError, match=rf"proxy http://127.0.0.1:{port} \(argument\) cannot be reached") as excinfo:
        converse(proxy=f"http://127.0.0.1:{port}")
    assert process_exception(excinfo.value) is None


def test_settings_of_the_environment(converse, squid, monkeypatch):
    monkeypatch.setenv("ws_proxy", f"http://127.0.0.1:{squid.ports['plain']}")
    before = squid.output().count("CONNECT server.test:")
    converse("server.test")
    squid.wait_for_output("CONNECT server.test:")
    assert squid.output().count("CONNECT server.test:") == before + 1
    with pytest.raises(InvalidProxyStatus, match=r"\(environment variable ws_proxy\) refused the tunnel: HTTP 403"):
        converse("forbidden.test")


def test_this_machine_is_never_behind_a_proxy(converse, monkeypatch):
    (port,) = free_ports(1)
    monkeypatch.setenv("ws_proxy", f"http://127.0.0.1:{port}")
    converse("127.0.0.1")
    converse("localhost")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks(converse, socks, health, scheme):
    converse("localhost", proxy=f"{scheme}://127.0.0.1:{socks.ports['port']}")
    socks.wait_for_output(f":{health}")


def test_tls_through_socks(driver, socks, secure, trust):
    with (
        secure() as port,
        driver.connect(
            f"wss://127.0.0.1:{port}/", ssl=trust, proxy=f"socks5h://127.0.0.1:{socks.ports['port']}"
        ) as client,
    ):
        client.send("x" * 1_000_000)
        assert client.recv() == "x" * 1_000_000


def test_socks_with_password(converse, socks_with_password):
    port = socks_with_password.ports["port"]
    converse(proxy=f"socks5h://{CREDENTIALS}127.0.0.1:{port}")
    for credentials in (f"{USER}:wrong@", ""):
        with pytest.raises(ProxyError, match=rf"proxy socks5h://(\*\*\*@)?127.0.0.1:{port} \(argument\)"):
            converse(proxy=f"socks5h://{credentials}127.0.0.1:{port}")


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h"])
def test_dante(converse, dante, scheme):
    converse(proxy=f"{scheme}://127.0.0.1:{dante.ports['port']}")
