"""The proxies do what tests with them take for granted: proved with curl, which nobody here wrote."""

from __future__ import annotations

from urllib.parse import quote

import pytest

USER, PASSWORD = "ada", "open sesame"
CREDENTIALS = f"{USER}:{quote(PASSWORD)}@"
# What curl says when it cannot connect, when a proxy refuses, when SOCKS fails.
REFUSED, SOCKS_FAILED = 56, 97


@pytest.fixture
def ask(curl, health):
    """Ask our server how it is, through a proxy."""

    def ask(proxy, *arguments, host="127.0.0.1"):
        return curl("--proxytunnel", "--proxy", proxy, *arguments, f"http://{host}:{health}/health")

    return ask


@pytest.mark.parametrize("host", ["127.0.0.1", "server.test"])
def test_squid(ask, squid, health, host):
    assert ask(f"http://127.0.0.1:{squid.ports['plain']}", host=host) == (0, "I am well.\n")
    squid.wait_for_output(f"CONNECT {host}:{health}")


def test_squid_with_tls(ask, squid, files):
    proxy = f"https://127.0.0.1:{squid.ports['tls']}"
    assert ask(proxy, "--proxy-cacert", str(files["ca"])) == (0, "I am well.\n")


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_squid_asks_for_credentials(ask, squid, scheme):
    port = squid.ports[scheme]
    option = f"--proxy-{scheme}"
    assert ask(f"http://{CREDENTIALS}127.0.0.1:{port}", option) == (0, "I am well.\n")
    status, output = ask(f"http://{USER}:wrong@127.0.0.1:{port}", option)
    assert (status, "response 407" in output) == (REFUSED, True)
    status, output = ask(f"http://127.0.0.1:{port}")
    assert (status, "response 407" in output) == (REFUSED, True)


def test_squid_refuses(ask, squid):
    status, output = ask(f"http://127.0.0.1:{squid.ports['plain']}", host="forbidden.test")
    assert (status, "response 403" in output) == (REFUSED, True)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks(ask, socks, health, scheme):
    assert ask(f"{scheme}://127.0.0.1:{socks.ports['port']}", host="localhost") == (0, "I am well.\n")
    socks.wait_for_output(f":{health}")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_with_password(ask, socks_with_password, scheme):
    port = socks_with_password.ports["port"]
    assert ask(f"{scheme}://{CREDENTIALS}127.0.0.1:{port}") == (0, "I am well.\n")
    assert ask(f"{scheme}://{USER}:wrong@127.0.0.1:{port}")[0] == SOCKS_FAILED
    assert ask(f"{scheme}://127.0.0.1:{port}")[0] == SOCKS_FAILED


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h"])  # socks4a is what Dante does not know
def test_dante(ask, dante, health, scheme):
    assert ask(f"{scheme}://127.0.0.1:{dante.ports['port']}", "--ipv4", host="localhost") == (0, "I am well.\n")
    dante.wait_for_output(f".{health}")
