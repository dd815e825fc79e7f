"""The command against servers of all kinds: one sentence, and a status that tells them apart."""

from __future__ import annotations

import asyncio
import json
import re
import socket

import pytest

from twoway.asyncio import basic_auth, digest_auth


def http(status, *headers, body=""):
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Content-Type: text/plain", "", body]
    return "\r\n".join(lines).encode()


def test_a_line_is_a_message(cli, serving):
    result = cli("connect", serving(), input="hello\n\nwörld")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "hello\n\nwörld\n", "")


def test_messages_that_come_by_themselves(cli, serving):
    async def count(connection):
        for number in range(5):
            await connection.send(str(number))

    result = cli("connect", serving(count), "--wait", "forever")
    assert (result.exit_code, result.stdout) == (0, "0\n1\n2\n3\n4\n")


def test_count(cli, serving):
    async def count(connection):
        for number in range(1000):
            await connection.send(str(number))

    result = cli("connect", serving(count), "--count", "3")
    assert (result.exit_code, result.stdout) == (0, "0\n1\n2\n")


def test_what_comes_before_an_error_is_printed(cli, serving):
    async def fail(connection):
        await connection.send("first")
        await connection.close(4004, "enough\x1b")

    result = cli("connect", serving(fail), input="1\n" * 1000)
    assert result.exit_code == 31
    assert result.stdout == "first\n"
    assert result.stderr.startswith("The server closed the connection: 4004 (")
    assert result.stderr.endswith("enough\\x1b.\n")


def test_binary(cli, serving):
    async def tell_type(connection):
        async for message in connection:
            await connection.send(f"{type(message).__name__} {message!r}")

    uri = serving(tell_type)
    assert cli("connect", uri, "--binary", input=b"\xff\n").stdout == "bytes b'\\xff'\n"
    assert cli("connect", uri, input=b"a\xff\n").exit_code == 1
    assert "Line 1 of the input was not sent: it is not UTF-8" in cli("connect", uri, input=b"a\xff\n").stderr


def test_json(cli, serving):
    lines = [{"text": "a\nb"}, {"binary": "AP8="}, {"ping": "x"}, {"close": 4000, "reason": "bye"}]
    result = cli("connect", serving(), "--json", input="\n".join(map(json.dumps, lines)))
    assert result.exit_code == 0
    assert [json.loads(line) for line in result.stdout.splitlines()][-1] == {"close": 4000, "reason": "bye"}


def test_json_comes_back(cli, serving):
    lines = [{"text": "a\nb"}, {"binary": "AP8="}]
    result = cli("connect", serving(), "--json", input="\n".join(map(json.dumps, lines)))
    assert [json.loads(line) for line in result.stdout.splitlines()] == [*lines, {"close": 1000, "reason": ""}]


def test_a_line_that_is_no_json(cli, serving):
    result = cli("connect", serving(), "--json", input='{"text": "a"}\nhello\n')
    assert result.exit_code == 1
    assert "Line 2 of the input was not sent: it is not JSON" in result.stderr


def test_pings_tell_the_latency(cli, serving):
    result = cli("connect", serving(), "--ping", "10ms", "--wait", "200ms")
    assert result.exit_code == 0
    assert re.search(r"(Latency [\d.]+ ms\n){2}", result.stderr)


def test_subprotocol_headers_and_verbose(cli, serving):
    async def tell(connection):
        headers = connection.request.headers
        await connection.send(" ".join(headers[name] for name in ("X-A", "Cookie", "Origin")) + connection.subprotocol)

    options = ["--header", "X-A: 1", "--cookie", "a=1", "--cookie", "b=2", "--origin", "http://o.example"]
    options += [
        "--subprotocol",
        "v9",
        "--subprotocol",
        "v1",
        "--no-compress",
        "-v",
        "--header",
        "Authorization: Basic abc",
    ]
    result = cli("connect", serving(tell, subprotocols=["v1"]), *options)
    assert result.stdout == "1 a=1; b=2 http://o.examplev1\n"
    assert "> GET / HTTP/1.1" in result.stderr
    assert "> Cookie: ***" in result.stderr
    assert "> Authorization: Basic ***" in result.stderr
    assert "< HTTP/1.1 101 Switching Protocols" in result.stderr
    assert "permessage-deflate" not in result.stderr


@pytest.mark.parametrize("options", [["--auth", "ada:secret"], ["--digest", "ada:secret"]])
def test_passwords(cli, serving, options):
    kind = digest_auth if options[0] == "--digest" else basic_auth
    uri = serving(process_request=kind("realm", credentials=("ada", "secret")))
    assert cli("connect", uri, *options, input="x").stdout == "x\n"
    assert cli("connect", uri, input="x").exit_code == 21
    wrong = cli("connect", uri, options[0], "ada:wrong", input="x")
    assert wrong.exit_code == 21
    assert "wrong" not in wrong.stderr or "ada" not in wrong.stderr


def test_a_password_from_the_environment(cli, serving, monkeypatch):
    monkeypatch.setenv("TWOWAY_AUTH", "ada:secret")
    uri = serving(process_request=basic_auth("realm", credentials=("ada", "secret")))
    assert cli("connect", uri, input="x").stdout == "x\n"


def test_a_token(cli, serving):
    def check(connection, request):
        return None if request.headers.get("Authorization") == "Bearer abc" else connection.respond(401, "No.\n")

    uri = serving(process_request=check)
    assert cli("connect", uri, "--bearer", "abc", input="x").stdout == "x\n"
    assert cli("connect", uri, "--bearer", "abd", input="x").exit_code == 21


@pytest.mark.parametrize(
    ("status", "exit", "sentence"),
    [
        ("200 OK", 20, "answered 200 OK instead of opening a WebSocket"),
        ("401 Unauthorized", 21, "answered 401 Unauthorized"),
        ("403 Forbidden", 22, "answered 403 Forbidden"),
        ("404 Not Found", 23, "answered 404 Not Found"),
        ("400 Bad Request", 24, "answered 400 Bad Request"),
        ("426 Upgrade Required", 24, "answered 426 Upgrade Required"),
        ("500 Internal Server Error", 25, "answered 500 Internal Server Error"),
        ("502 Bad Gateway", 25, "answered 502 Bad Gateway"),
        ("302 Found", 26, "answered 302 Found, which was not followed"),
    ],
)
def test_refusals(cli, answering, status, exit, sentence):
    result = cli("connect", answering(http(status)), input="x")
    assert (result.exit_code, result.stdout) == (exit, "")
    first, *_ = result.stderr.splitlines()
    assert sentence in first
    assert first.endswith(".")


def test_other_answers(cli, answering):
    for answer in (b"SSH-2.0-OpenSSH_9.2\r\n", b"", http("101 Switching Protocols")):
        result = cli("connect", answering(answer), input="x")
        assert result.exit_code == 20
        assert "did not shake hands" in result.stderr


def test_redirects(cli, serving, answering):
    uri = answering(http("307 Temporary Redirect", f"Location: {serving()}"))
    result = cli("connect", uri, "-v", input="x")
    assert (result.exit_code, result.stdout) == (0, "x\n")
    assert "Redirected to ws://localhost:" in result.stderr
    assert cli("connect", uri, "--no-redirects").exit_code == 26


def test_headers_stay_with_the_first_server(cli, serving, answering):
    async def tell(connection):
        headers = connection.request.headers
        await connection.send(repr([headers.get(name) for name in ("X-Key", "Cookie", "Authorization")]))

    uri = answering(http("307 Temporary Redirect", f"Location: {serving(tell)}"))
    result = cli("connect", uri, "--header", "X-Key: secret", "--cookie", "a=b", "--bearer", "abc")
    assert result.stdout == "[None, None, None]\n"


def test_nobody_listens(cli):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        result = cli("connect", f"ws://127.0.0.1:{bound.getsockname()[1]}/")
    assert result.exit_code == 11
    assert re.match(r"No connection to 127\.0\.0\.1:\d+: .*refused.*\.\nHint: does the server run", result.stderr)


def test_no_such_name(cli):
    result = cli("connect", "ws://nowhere.invalid/")
    assert result.exit_code == 10
    assert result.stderr.startswith("The name nowhere.invalid is not known")


def test_a_server_that_never_answers(cli, answering):
    result = cli("connect", answering(None), "--timeout", "200ms")
    assert result.exit_code == 12
    assert re.match(r"localhost:\d+ did not answer in time\.\nHint: twoway probe", result.stderr)


def test_the_time_is_over(cli, serving):
    result = cli("connect", serving(), "--timeout", "300ms", "--wait", "forever", input="x\n")
    assert (result.exit_code, result.stdout, result.stderr) == (40, "x\n", "The time of --timeout is over.\n")


def test_a_server_that_hangs_up(cli, serving):
    async def vanish(connection):
        connection.transport.abort()
        await asyncio.sleep(0)

    result = cli("connect", serving(vanish), "--wait", "forever")
    assert result.exit_code == 30
    assert result.stderr.startswith("The connection was lost")


def test_a_server_that_does_not_answer_the_close_frame(cli, answering):
    result = cli("connect", answering(None, mute="yes"), input="x")
    assert result.exit_code == 34
    assert result.stderr == "The server did not answer our Close frame in time.\n"


def test_a_server_that_hangs_up_at_the_close_frame(cli, answering):
    result = cli("connect", answering(None, mute="rude"))
    assert result.exit_code == 30
    assert result.stderr == "The connection was lost: the server hung up without a Close frame.\n"


def test_a_message_that_is_too_large(cli, serving):
    async def shout(connection):
        await connection.send("x" * 2000)

    result = cli("connect", serving(shout), "--max-size", "1k", "--wait", "forever")
    assert result.exit_code == 32
    assert "The server broke a rule or a limit of ours: 1009 (message too big)" in result.stderr
    assert "Hint: --max-size" in result.stderr


def test_a_message_that_is_too_large_for_the_server(cli, serving):
    result = cli("connect", serving(max_size=1000), input="x" * 2000)
    assert result.exit_code == 33
    assert "1009 (message too big)" in result.stderr
    assert "--max-size" not in result.stderr  # it is a limit of theirs


def test_tls(cli, serving, tls):
    uri = serving(ssl=tls.server)
    assert cli("connect", uri, "--ca", str(tls.ca), input="x").stdout == "x\n"
    assert cli("connect", uri, "--insecure", input="x").stdout == "x\n"
    result = cli("connect", uri, input="x")
    assert result.exit_code == 13
    assert re.match(r"The certificate of localhost:\d+ was not accepted: .*\.\nHint: --ca FILE", result.stderr)


def test_tls_behind_a_redirect(cli, serving, answering, tls):
    async def tell(connection):
        await connection.send(
            repr([name for name in ("X-Key", "Cookie", "Authorization") if name in headers(connection)])
        )

    def headers(connection):
        return connection.request.headers

    target = serving(tell, path="/?a=b", ssl=tls.server)
    uri = answering(http("301 Moved Permanently", f"Location: {target}"))
    secrets = ("--header", "X-Key: 1", "--cookie", "a=b", "--auth", "ada:secret")
    assert cli("connect", uri, "--ca", str(tls.ca), *secrets).stdout == "[]\n"
    assert cli("connect", uri, "--insecure", *secrets).stdout == "[]\n"
    result = cli("connect", uri)
    assert result.exit_code == 13
    place = target.removeprefix("wss://").partition("/")[0]
    assert result.stderr.startswith(f"The certificate of {place} was not accepted: ")


def test_a_certificate_for_another_name(cli, serving, tls):
    result = cli("connect", serving(ssl=tls.other_name), "--ca", str(tls.ca))
    assert result.exit_code == 13
    sentence, hint = result.stderr.splitlines()
    assert "'localhost'" in sentence
    assert not sentence.endswith("..")
    assert "connect by a name that it has" in hint


def test_no_tls_at_all(cli, serving):
    result = cli("connect", serving().replace("ws:", "wss:"))
    assert result.exit_code == 13
    assert re.match(r"TLS with localhost:\d+ failed: .*\.\nHint: is it a server without TLS", result.stderr)


def test_proxies(cli, serving, answering):
    uri = serving()
    refusing = answering(http("403 Forbidden")).replace("ws:", "http:")
    result = cli("connect", uri, "--proxy", refusing.rstrip("/"))
    assert result.exit_code == 14
    assert "The proxy did not connect us with localhost:" in result.stderr
    result = cli("connect", uri, "--proxy", "gopher://x")
    assert result.exit_code == 2
    assert cli("connect", uri, "--proxy", "none", input="x").stdout == "x\n"
    silent = answering(None).replace("ws:", "http:").rstrip("/")
    result = cli("connect", uri, "--proxy", silent, "--timeout", "300ms")
    assert result.exit_code == 12
    assert f", through the proxy {silent}, did not answer in time." in result.stderr
    result = cli("connect", uri, "--proxy", "http://nowhere.invalid:3128")
    assert result.exit_code == 14
    assert "cannot be reached: " in result.stderr
    assert "Errno" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Which server?"),
        (["localhost:8765"], "Did you mean ws://localhost:8765?"),
        (["ftp://localhost/"], "its scheme is not ws or wss"),
        (["ws://localhost/#top"], "fragment"),
        (["ws://localhost/", "--auth", "a:b", "--bearer", "c"], "give one of them"),
        (["ws://localhost/", "--key", __file__], "give --cert, too"),
        (["ws://localhost/", "--header", "x"], "not of the form"),
        (["wss://localhost/", "--ca", __file__], "TLS cannot use"),
        (["ws://localhost/", "--bearer", "a b"], "token must be"),
        (["ws://localhost/", "--subprotocol", "a b"], "subprotocol"),
        (["ws://localhost/", "--header", "a b: c"], "name"),
        (["ws://localhost/", "--timeout", "soon"], "'soon' is no time"),
    ],
)
def test_wrong_arguments(cli, arguments, complaint):
    result = cli("connect", *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_addresses_from_a_browser(cli, serving):
    assert cli("connect", serving().replace("ws://", "http://"), input="x").stdout == "x\n"
