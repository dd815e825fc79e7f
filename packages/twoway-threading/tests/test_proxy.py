"""Clients through proxies: which one, what it is told, and what becomes of those that misbehave."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
from base64 import b64encode
from contextlib import suppress
from http.cookiejar import CookieJar
from importlib.util import find_spec

import pytest

from twoway.auth import BasicAuth, DigestAuth
from twoway.http import Proxy, parse_proxy
from twoway.threading import (
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    ProxyError,
    connect,
    process_exception,
    unix_connect,
)

BASIC = b"Basic " + b64encode(b"ada:open sesame")
CHALLENGES = {
    "basic": b'Basic realm="proxy"',
    "digest": b'Digest realm="proxy", qop="auth", algorithm=SHA-256, nonce="abc"',
}


# Proxies for SOCKS need what an extra installs.
socks = pytest.mark.skipif(find_spec("python_socks") is None, reason="python-socks is not installed")
SCHEMES = ["http", "https", *(pytest.param(f"socks{version}", marks=socks) for version in ("4", "4a", "5", "5h"))]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


# Proxies


class ProxyServer:
    """A proxy in a thread of its own: it answers with what ``answer`` makes of a request, and opens tunnels."""

    def __init__(self, behave, context):
        self.requests = []
        self.names = []  # what clients wanted the certificate to name
        self._behave = behave
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])

    async def _run(self):
        self._stop = asyncio.Event()
        tasks = set()

        async def serve(reader, writer):
            task = asyncio.current_task()
            tasks.add(task)
            try:
                with suppress(OSError, EOFError, asyncio.CancelledError):
                    await self._behave(self, reader, writer)
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        # Connections that are being accepted are nobody's yet, and lost to all when the server is closed.
        transports = getattr(self._loop, "_transports", {})
        for _ in range(200):
            await asyncio.sleep(0.01)
            open_ones = [transport for transport in list(transports.values()) if transport._sock is not None]
            if not open_ones and asyncio.all_tasks() == {asyncio.current_task()}:
                break
            for task in tasks:
                task.cancel()
            for transport in open_ones:
                transport.abort()
        server.close()

    def __enter__(self):
        self._thread.start()
        self._started.wait()
        self.url = f"{'https' if self._context else 'http'}://localhost:{self.port}"
        return self

    def __exit__(self, *exc_info):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()


async def read_request(proxy, reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.rstrip().split("\r\n")
    proxy.requests.append((line, dict(field.split(": ", 1) for field in fields)))
    return proxy.requests[-1]


async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def relay(reader, writer, host, port):
    target_reader, target = await asyncio.open_connection("127.0.0.1", port)
    try:
        await asyncio.gather(pump(reader, target), pump(target_reader, writer))
    finally:
        target.transport.abort()


async def forward(proxy, reader, writer):
    """Open each tunnel."""
    line, _ = await read_request(proxy, reader)
    host, _, port = line.split()[1].rpartition(":")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await relay(reader, writer, host, int(port))


def demand(scheme, accept):
    """Ask for credentials."""

    async def behave(proxy, reader, writer):
        line, fields = await read_request(proxy, reader)
        if not accept(fields.get("Proxy-Authorization")):
            writer.write(
                b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: %b\r\nContent-Length: 4\r\n\r\nwho?"
                % CHALLENGES[scheme]
            )
            await writer.drain()
            await reader.read()
            return
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await relay(reader, writer, "", int(line.split()[1].rpartition(":")[2]))

    return behave


def answer(*chunks, then="wait"):
    """Answer the same, whatever is asked."""

    async def behave(proxy, reader, writer):
        await read_request(proxy, reader)
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.002)
        if then == "wait":
            await reader.read()

    return behave


async def socks5(proxy, reader, writer):
    """Speak RFC 1928, without a password."""
    _, count = await reader.readexactly(2)
    await reader.readexactly(count)
    writer.write(b"\5\0")
    _, _, _, kind = await reader.readexactly(4)
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    else:
        host = socket.inet_ntop(socket.AF_INET, await reader.readexactly(4))
    port = int.from_bytes(await reader.readexactly(2), "big")
    proxy.requests.append((host, port))
    writer.write(b"\5\0\0\1" + bytes(6))
    await relay(reader, writer, host, port)


async def socks4(proxy, reader, writer):
    """Speak SOCKS 4 and 4a."""
    _, _, *rest = await reader.readexactly(8)
    await reader.readuntil(b"\0")
    port = int.from_bytes(rest[:2], "big")
    host = ".".join(map(str, rest[2:]))
    if rest[2:5] == [0, 0, 0]:
        host = (await reader.readuntil(b"\0"))[:-1].decode()
    proxy.requests.append((host, port))
    writer.write(b"\0\x5a" + bytes(6))
    await relay(reader, writer, host, port)


def say(*chunks, then="wait"):
    """Say the same, without listening."""

    async def behave(proxy, reader, writer):
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.002)
        if then == "wait":
            await asyncio.Event().wait()

    return behave


@pytest.fixture
def proxying(tls):
    """Run a proxy."""

    def proxying(behave=forward, secure=False):
        return ProxyServer(behave, tls.server if secure else None)

    return proxying


def exchange(uri, **options):
    """Connect, and say something."""
    with connect(uri, **options) as client:
        client.send("hello")
        assert client.recv() == "hello"
        return client


# Tunnels


@pytest.mark.feature("HTTP and HTTPS proxies")
@pytest.mark.parametrize("secure_proxy", [False, True], ids=["http proxy", "https proxy"])
@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_a_tunnel(serving, proxying, tls, secure, secure_proxy):
    server = {"ssl": tls.server} if secure else {}
    options = {"ssl": tls.client} if secure else {}
    if secure_proxy:
        options["proxy_ssl"] = tls.client
    with proxying(secure=secure_proxy) as proxy:
        with serving(**server) as (_, uri):
            with connect(uri, proxy=proxy.url, **options) as client:
                for message in ("hello", b"x" * 1_000_000, "again"):
                    client.send(message)
                    assert client.recv() == message
            assert client.close_code == 1000
        ((line, fields),) = proxy.requests
    authority = uri.split("/")[2]
    assert line == f"CONNECT {authority} HTTP/1.1"
    assert fields.pop("User-Agent").startswith("Python/")
    assert fields == {"Host": authority}


def test_what_arrives_together_is_given_together(proxying, wire, tls):
    """Two messages in one TLS record, in one of the proxy's: none waits inside the TLS objects."""

    def behave(stream):
        wire.accept(stream)
        stream.readexactly(6 + 2)
        stream.write(wire.frame(0x81, b"one") + wire.frame(0x81, b"two"))
        stream.read()

    with (
        proxying(secure=True) as proxy,
        wire.server(behave, ssl=tls.server) as uri,
        connect(uri, proxy=proxy.url, ssl=tls.client, proxy_ssl=tls.client, close_timeout=0) as client,
    ):
        client.send("go")
        assert client.recv() == "one"
        assert client.recv(timeout=5) == "two"


def test_headers_for_the_proxy_are_not_for_the_server_nor_the_other_way_round(serving, proxying):
    jar = CookieJar()
    with proxying() as proxy:
        with serving() as (_, uri):
            client = exchange(
                uri,
                proxy=proxy.url,
                proxy_headers={"X-Proxy": "1"},
                additional_headers={"X-Server": "2", "Cookie": "secret"},
                auth=BasicAuth("ada", "x"),
                cookies=jar,
            )
        ((_, fields),) = proxy.requests
    assert fields["X-Proxy"] == "1"
    assert not {"X-Server", "Cookie", "Authorization"} & set(fields)
    assert client.request.headers["X-Server"] == "2"
    assert "X-Proxy" not in client.request.headers


def test_headers_for_the_proxy_can_be_made_for_each_tunnel(serving, proxying):
    numbers = iter("12")
    connector = None
    with proxying() as proxy:
        with serving() as (_, uri):
            connector = connect(uri, proxy=proxy.url, proxy_headers=lambda: {"X-Number": next(numbers)})
            for _ in range(2):
                with connector:
                    pass
        assert [fields["X-Number"] for _, fields in proxy.requests] == ["1", "2"]


def test_host_and_port_are_what_the_proxy_is_asked_for(serving, proxying):
    with proxying() as proxy:
        with serving() as (_, uri):
            port = int(uri.rstrip("/").rpartition(":")[2])
            client = exchange("ws://server.test/", host="other.test", port=port, proxy=proxy.url)
        assert proxy.requests[0][0] == f"CONNECT other.test:{port} HTTP/1.1"
    assert client.request.headers["Host"] == "server.test"


# Which proxy


@pytest.mark.feature("HTTP and HTTPS proxies")
def test_settings_of_the_environment(serving, proxying, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "twoway.client")
    with proxying() as proxy:
        monkeypatch.setenv("ws_proxy", proxy.url.replace("//", "//ada:secret@"))
        with serving() as (_, uri):
            exchange(uri)  # this machine is never behind a proxy
            assert not proxy.requests
            exchange(uri.replace("localhost", "server.test"))
            assert len(proxy.requests) == 1
    (line,) = [record.getMessage() for record in caplog.records if "proxy" in record.getMessage()]
    assert line.endswith(f"through proxy http://***@localhost:{proxy.port} (environment variable ws_proxy)")
    assert "secret" not in caplog.text


def test_a_function_chooses(serving, proxying):
    asked = []
    with proxying() as proxy:
        with serving() as (_, uri):
            exchange(uri, proxy=lambda target: asked.append(target.host))
            assert not proxy.requests
            exchange(uri, proxy=lambda target: parse_proxy(proxy.url))
        assert len(proxy.requests) == 1
    assert asked == ["localhost"]


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"proxy": "ftp://localhost"}, InvalidProxy, r"ftp://localhost \(argument\) isn't a valid proxy"),
        ({"proxy": "http://ada:secret@host:99999"}, InvalidProxy, r"\*\*\*@host:99999"),
        ({"proxy": 5}, TypeError, "proxy must be"),
        ({"proxy": False}, TypeError, "proxy must be"),
        ({"proxy_headers": {"Host": "x"}}, ValueError, "must not hold Host"),
        ({"proxy_headers": {"X": "a\nb"}}, ValueError, None),
        ({"proxy_auth": "ada"}, TypeError, "auth must be"),
        ({"sock": 1, "proxy": "http://localhost"}, ValueError, "proxy must be None or True beside sock"),
    ],
)
def test_wrong_arguments(options, error, match):
    with pytest.raises(error, match=match) as excinfo:
        connect("ws://localhost/", **options)
    assert "secret" not in str(excinfo.value)


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets")
def test_a_unix_socket_is_behind_no_proxy():
    with pytest.raises(ValueError, match="proxy must be None or True beside path"):
        unix_connect("/tmp/x", proxy="http://localhost")


def test_a_wrong_setting_of_the_environment(monkeypatch):
    monkeypatch.setenv("all_proxy", "gopher://localhost")
    with pytest.raises(InvalidProxy, match=r"\(environment variable all_proxy\)") as excinfo:
        connect("ws://server.test/").connect()
    assert process_exception(excinfo.value) is excinfo.value


def test_a_proxy_does_not_matter_to_a_socket_that_is_there(serving, monkeypatch):
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    with serving() as (_, uri):
        sock = socket.create_connection(("127.0.0.1", int(uri.rstrip("/").rpartition(":")[2])))
        exchange("ws://server.test/", sock=sock)


# Credentials


@pytest.mark.feature("HTTP and HTTPS proxies")
@pytest.mark.parametrize("scheme", ["basic", "digest"])
@pytest.mark.parametrize("way", ["url", "pair", "function", "object"])
def test_credentials(serving, proxying, scheme, way):
    start = f"{scheme.title()} "
    behave = demand(scheme, lambda value: value is not None and value.startswith(start))
    with proxying(behave) as proxy:
        options = {"proxy": proxy.url}
        if way == "url":
            options["proxy"] = proxy.url.replace("//", "//ada:open%20sesame@")
        elif way == "pair":
            options["proxy_auth"] = ("ada", "open sesame")
        elif way == "function":
            options["proxy_auth"] = lambda: ("ada", "open sesame")
        else:
            kind = {"basic": BasicAuth, "digest": DigestAuth}[scheme]
            options["proxy_auth"] = kind("ada", "open sesame")
        with serving() as (_, uri):
            client = exchange(uri, **options)
        sent = [fields.get("Proxy-Authorization", "").partition(" ")[0] for _, fields in proxy.requests]
        at_once = {("url", "basic"): ["Basic"], ("url", "digest"): ["Basic", "Digest"], ("object", "basic"): ["Basic"]}
        assert sent == at_once.get((way, scheme), ["", scheme.title()])
        if scheme == "basic":
            assert proxy.requests[-1][1]["Proxy-Authorization"] == BASIC.decode()
    assert "Proxy-Authorization" not in client.request.headers


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_a_second_connection_knows_the_nonce(serving, proxying, scheme):
    behave = demand(scheme, lambda value: scheme == "basic" or (value is not None and value.startswith("Digest")))
    with proxying(behave) as proxy:
        with serving() as (_, uri):
            connector = connect(uri, proxy=proxy.url.replace("//", "//ada:x@"))
            for _ in range(2):
                with connector:
                    pass
        assert len(proxy.requests) == (3 if scheme == "digest" else 2)


@pytest.mark.parametrize(
    ("credentials", "reason", "requests"),
    [
        (None, "there are no credentials for it", 1),
        (("ada", "wrong"), "the user name or password was refused", 2),
    ],
)
def test_wrong_credentials(proxying, credentials, reason, requests):
    with proxying(demand("basic", lambda value: False)) as proxy:
        with pytest.raises(InvalidProxyStatus, match="407") as excinfo:
            connect("ws://server.test/", proxy=proxy.url, proxy_auth=credentials).connect()
        assert len(proxy.requests) == requests
    error = excinfo.value
    assert reason in str(error)
    assert f"proxy http://localhost:{proxy.port} (argument) refused the tunnel: HTTP 407" in str(error)
    assert error.response.body == b"who?"
    assert process_exception(error) is error
    assert "wrong" not in repr(error)


# Proxies that misbehave


@pytest.mark.feature("HTTP and HTTPS proxies")
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(
    ("behave", "error", "match", "transient"),
    [
        (answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"), InvalidProxyMessage, "sent more than its", False),
        (answer(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), InvalidProxyStatus, "HTTP 403 'No'", False),
        (answer(b"HTTP/1.1 502 Bad\r\n\r\n", then="end"), InvalidProxyStatus, "HTTP 502 'Bad'", True),
        (answer(b"HTTP/1.1 101 Hm\r\n\r\n"), InvalidProxyStatus, "HTTP 101", False),
        (answer(then="end"), InvalidProxyMessage, "gave no valid answer", True),
        (answer(b"HTTP/1.1 200", then="end"), InvalidProxyMessage, "gave no valid answer", True),
        (answer(b"SSH-2.0-OpenSSH\r\n\r\n"), InvalidProxyMessage, "gave no valid answer", False),
        (answer(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000), InvalidProxyMessage, "gave no valid answer", False),
        (answer(b"HTTP/1.1 407 Hm\r\nContent-Length: 0\r\n\r\n"), InvalidProxyStatus, "HTTP 407", False),
    ],
)
def test_bad_answers(proxying, tls, behave, error, match, transient, secure):
    with proxying(behave, secure) as proxy:
        options = {"proxy_ssl": tls.client} if secure else {}
        with pytest.raises(error, match=match) as excinfo:
            connect("ws://server.test/", proxy=proxy.url, **options).connect()
        assert excinfo.value.proxy == parse_proxy(proxy.url)
    assert (process_exception(excinfo.value) is None) is transient
    assert isinstance(excinfo.value, (ProxyError, InvalidHandshake))


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_an_answer_byte_by_byte_is_fine(proxying, serving, tls, secure):
    async def behave(proxy, reader, writer):
        line, _ = await read_request(proxy, reader)
        for byte in b"HTTP/1.1 200 Fine\r\nVia: a proxy\r\n\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.001)
        await relay(reader, writer, "", int(line.split()[1].rpartition(":")[2]))

    with proxying(behave) as proxy, serving(**({"ssl": tls.server} if secure else {})) as (_, uri):
        exchange(uri, proxy=proxy.url, **({"ssl": tls.client} if secure else {}))


@pytest.mark.feature("time limit for the opening handshake")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", ["never answers", "drips"])
def test_a_slow_proxy_is_given_up(proxying, kind, scheme):
    slow = {
        "http": answer(*[b"x"] * 10000),
        "https": say(*[b"\x16\x03\x01\x40\x00"], *[b"x"] * 10000),
        "socks5": say(b"\5\0", b"\5\0\0\3\xff", *[b"x"] * 200),
        "socks4": say(*[b"\0"] * 7),
    }
    behave = say() if kind == "never answers" else slow[scheme.rstrip("ah")]
    with proxying(behave) as proxy:
        url = f"{scheme}://localhost:{proxy.port}"
        with pytest.raises(TimeoutError, match=rf"127.0.0.1:80 through proxy {url} \(argument\) timed out"):
            connect("ws://127.0.0.1/", proxy=url, open_timeout=0.3).connect()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_proxy_that_is_not_there(scheme):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(
        ProxyError, match=rf"proxy {scheme}://127.0.0.1:{port} \(argument\) cannot be reached"
    ) as excinfo:
        connect("ws://127.0.0.1/", proxy=f"{scheme}://127.0.0.1:{port}").connect()
    assert process_exception(excinfo.value) is None
    assert isinstance(excinfo.value.__cause__, OSError)


def test_a_proxy_whose_certificate_is_not_trusted(proxying):
    with proxying(secure=True) as proxy, pytest.raises(ProxyError, match=r"(?i)cannot be reached: .*certificate"):
        connect("ws://server.test/", proxy=proxy.url).connect()


def test_the_name_of_a_proxy_can_be_another_one(proxying, serving, tls):
    with proxying(secure=True) as proxy, serving() as (_, uri):
        url = proxy.url.replace("localhost", "127.0.0.1")
        with pytest.raises(ProxyError):
            connect(uri, proxy=url, proxy_ssl=tls.client).connect()
        exchange(uri, proxy=url, proxy_ssl=tls.client, proxy_server_hostname="localhost")


@pytest.mark.parametrize("secure_proxy", [False, True], ids=["http proxy", "https proxy"])
@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_server_that_hangs_up_behind_a_proxy(proxying, tls, secure_proxy, end):
    async def behave(proxy, reader, writer):
        await read_request(proxy, reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.read(1)
        if end == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with proxying(behave, secure_proxy) as proxy:
        for uri, options in (("ws://localhost/", {}), ("wss://localhost/", {"ssl": tls.client})):
            with pytest.raises((InvalidHandshake, OSError)) as excinfo:
                connect(uri, proxy=proxy.url, proxy_ssl=tls.client if secure_proxy else None, **options).connect()
            assert process_exception(excinfo.value) is None


def test_reconnecting_goes_through_the_proxy_again(proxying, serving):
    with proxying() as proxy:
        with serving() as (_, uri):
            for _, client in zip(range(3), connect(uri, proxy=proxy.url), strict=False):
                client.close()
        assert len(proxy.requests) == 3


def test_one_handshake_at_a_time_with_what_only_a_proxy_can_resolve(proxying, serving, spawn):
    with proxying() as proxy, serving() as (_, uri):
        uri = uri.replace("localhost", "server.test")
        tasks = [spawn(connect(uri, proxy=proxy.url, serialize_connecting=True).connect) for _ in range(3)]
        for task in tasks:
            task.result().close()


# SOCKS


@socks
@pytest.mark.feature("SOCKS proxies")
@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize(
    ("scheme", "behave", "host"),
    [
        ("socks5", socks5, "127.0.0.1"),
        ("socks5h", socks5, "localhost"),
        ("socks4", socks4, "127.0.0.1"),
        ("socks4a", socks4, "localhost"),
    ],
)
def test_socks(proxying, serving, tls, scheme, behave, host, secure):
    with proxying(behave) as proxy:
        with serving(**({"ssl": tls.server} if secure else {})) as (_, uri):
            url = f"{scheme}://localhost:{proxy.port}"
            exchange(uri, proxy=url, **({"ssl": tls.client} if secure else {}))
        assert proxy.requests == [(host, int(uri.rstrip("/").rpartition(":")[2]))]


@socks
@pytest.mark.feature("SOCKS proxies")
@pytest.mark.parametrize(
    ("answers", "then", "transient"),
    [
        ([b"\5\0", b"\5\5\0\1" + bytes(6)], "wait", True),
        ([b"\5\0", b"\5\2\0\1" + bytes(6)], "wait", False),
        ([b"\5\xff"], "wait", False),
        ([b"\5\0", b"\5\0\0\3\1\xff\0\0"], "wait", False),
        ([b"\5\0", b"HTTP/1.1 400"], "wait", False),
        ([b"\5\0", b"\5\0"], "end", True),
        ([], "end", True),
    ],
)
def test_socks_that_refuses_or_misbehaves(proxying, answers, then, transient):
    with proxying(say(*answers, then=then)) as proxy:
        url = f"socks5h://ada:secret@localhost:{proxy.port}"
        shown = rf"proxy socks5h://\*\*\*@localhost:{proxy.port} \(argument\) "
        with pytest.raises(ProxyError, match=shown) as excinfo:
            connect("ws://server.test/", proxy=url).connect()
    assert (process_exception(excinfo.value) is None) is transient
    assert "secret" not in repr(excinfo.value)


def test_socks_needs_a_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "python_socks", None)
    with pytest.raises(ImportError, match=r"install twoway-threading\[socks\]"):
        connect("ws://server.test/", proxy=Proxy("socks5h", "localhost", 1080)).connect()


@socks
def test_a_name_that_this_machine_cannot_resolve_is_no_fault_of_the_proxy():
    with pytest.raises(OSError) as excinfo:
        connect("ws://server.invalid/", proxy="socks5://127.0.0.1:9").connect()
    assert not isinstance(excinfo.value, ProxyError)
