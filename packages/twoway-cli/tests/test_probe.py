from __future__ import annotations

import json
import re
import socket

import pytest


def verdicts(output):
    lines = re.findall(r"^(ok|info|warn|FAIL) +(\S+(?: the way)?) ", output, re.MULTILINE)
    return {name: verdict for verdict, name in lines}


def test_all_is_well(cli, serving):
    result = cli("probe", serving(path="/chat"))
    assert result.exit_code == 0
    assert verdicts(result.stdout) == {
        "address": "ok",
        "proxy": "info",
        "name": "ok",
        "TCP": "ok",
        "handshake": "ok",
        "subprotocol": "info",
        "extensions": "ok",
        "keepalive": "ok",
        "close": "ok",
    }
    assert "> GET /chat HTTP/1.1" in result.stdout
    assert "< HTTP/1.1 101 Switching Protocols" in result.stdout
    assert result.stdout.endswith("It works.\n")


def test_for_programs(cli, serving):
    result = cli("probe", serving(), "--json", "--subprotocol", "chat")
    report = json.loads(result.stdout)
    assert report["exit"] == 0
    steps = {step["name"]: step for step in report["steps"]}
    assert steps["subprotocol"]["verdict"] == "warn"
    assert steps["handshake"]["seconds"] > 0


def test_what_is_odd(cli, serving):
    async def chatter(connection):
        await connection.send("hello")
        await connection.wait_closed()

    def respond(connection, request, response):
        response.headers["Via"] = "1.1 proxy"

    uri = serving(chatter, process_response=respond)
    result = cli("probe", uri, "--bearer", "abc", "--subprotocol", "chat", "--no-compress")
    assert result.exit_code == 0
    found = verdicts(result.stdout)
    assert (found["subprotocol"], found["secrets"], found["on the way"]) == ("warn", "warn", "info")
    assert "> Authorization: Bearer ***" in result.stdout
    assert "abc" not in result.stdout
    assert "the server sent 1 message without being asked" in result.stdout
    assert "none was offered" in result.stdout
    assert result.stdout.endswith("It works, but look at: subprotocol, secrets.\n")


def test_tls(cli, serving, tls):
    result = cli("probe", serving(ssl=tls.server), "--ca", str(tls.ca))
    assert result.exit_code == 0
    assert re.search(r"^ok +TLS +TLSv1\.3 with \w+, and the certificate is good", result.stdout, re.MULTILINE)
    assert "for localhost" in result.stdout
    insecure = cli("probe", serving(ssl=tls.server), "--insecure")
    assert verdicts(insecure.stdout)["TLS"] == "warn"


def test_a_certificate_for_another_name(cli, serving, tls):
    result = cli("probe", serving(ssl=tls.other_name), "--ca", str(tls.ca))
    assert result.exit_code == 13
    assert verdicts(result.stdout)["TLS"] == "FAIL"
    assert "for elsewhere.example" in result.stdout
    assert "issued by trustme" in result.stdout.lower()
    assert result.stdout.endswith("It does not work, because of: TLS.\n")


def test_a_certificate_that_is_over(cli, serving, tls):
    result = cli("probe", serving(ssl=tls.over), "--ca", str(tls.ca))
    assert result.exit_code == 13
    assert "certificate has expired" in result.stdout


def test_a_certificate_that_ends_soon(cli, serving, tls):
    result = cli("probe", serving(ssl=tls.ending), "--ca", str(tls.ca))
    assert result.exit_code == 0
    assert re.search(r"^warn TLS .*the certificate ends in 3 days", result.stdout, re.MULTILINE)


def test_an_unknown_authority(cli, serving, tls):
    result = cli("probe", serving(ssl=tls.server))
    assert result.exit_code == 13
    assert "for localhost" in result.stdout


def test_no_tls_at_all(cli, answering):
    result = cli("probe", answering(b"hello").replace("ws:", "wss:"))
    assert result.exit_code == 13
    assert verdicts(result.stdout)["TLS"] == "FAIL"


def test_no_such_name(cli):
    result = cli("probe", "ws://nowhere.invalid/")
    assert result.exit_code == 10
    assert verdicts(result.stdout)["name"] == "FAIL"


def test_nobody_listens(cli):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        result = cli("probe", f"ws://127.0.0.1:{bound.getsockname()[1]}/")
    assert result.exit_code == 11
    assert verdicts(result.stdout)["TCP"] == "FAIL"
    assert "there is nothing to look up" in result.stdout


@pytest.mark.parametrize(("status", "exit"), [("403 Forbidden", 22), ("502 Bad Gateway", 25), ("200 OK", 20)])
def test_refusals(cli, answering, status, exit):
    uri = answering(f"HTTP/1.1 {status}\r\nServer: nginx\r\nContent-Length: 3\r\n\r\nno\n".encode())
    result = cli("probe", uri)
    assert result.exit_code == exit
    assert "< Server: nginx" in result.stdout
    assert "< no\n" in result.stdout
    assert verdicts(result.stdout)["handshake"] == "FAIL"


def test_a_server_that_never_answers(cli, answering):
    result = cli("probe", answering(None), "--timeout", "300ms")
    assert result.exit_code == 12


def test_redirects(cli, serving, answering, tls):
    target = serving(ssl=tls.server)
    uri = answering(f"HTTP/1.1 301 Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
    result = cli("probe", uri, "--ca", str(tls.ca))
    assert result.exit_code == 0
    assert verdicts(result.stdout)["redirect"] == "info"
    assert verdicts(result.stdout)["TLS"] == "ok"
    assert cli("probe", uri).exit_code == 13


def test_the_time_is_over(cli, answering):
    result = cli("probe", answering(None, mute="yes"), "--timeout", "300ms")
    assert result.exit_code == 40
    assert verdicts(result.stdout)["time"] == "FAIL"


def test_a_connection_that_ends_at_once(cli, serving):
    async def leave(connection):
        await connection.close(4001, "go away")

    result = cli("probe", serving(leave))
    assert result.exit_code == 31
    assert verdicts(result.stdout)["keepalive"] == "FAIL"
    assert "4001" in result.stdout


def test_a_server_that_answers_no_ping_and_no_close_frame(cli, answering):
    result = cli("probe", answering(None, mute="yes"))
    assert result.exit_code == 0
    found = verdicts(result.stdout)
    assert (found["keepalive"], found["close"]) == ("warn", "warn")
    assert "no pong within 1 seconds: RFC 6455" in result.stdout
    assert "the server did not answer our Close frame: RFC 6455" in result.stdout


def test_a_server_that_hangs_up_at_a_ping(cli, answering):
    result = cli("probe", answering(None, mute="rude"))
    assert result.exit_code == 30
    assert verdicts(result.stdout)["keepalive"] == "FAIL"


def test_proxies(cli, serving, answering):
    proxy = answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").replace(
        "ws:", "http:"
    )
    result = cli("probe", serving(), "--proxy", proxy.rstrip("/"))
    assert result.exit_code == 14
    assert "(argument): it is asked for a tunnel to localhost:" in result.stdout
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        result = cli("probe", serving(), "--proxy", f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert result.exit_code == 14
    assert "No connection to the proxy 127.0.0.1:" in result.stdout
    result = cli("probe", serving(), "--proxy", "gopher://x")
    assert result.exit_code == 2
    assert verdicts(result.stdout)["proxy"] == "FAIL"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
def test_a_unix_socket(cli, start, tmp_path):
    path = str(tmp_path / "s")
    start("echo", "--unix", path)
    result = cli("probe", "--unix", path)
    assert result.exit_code == 0
    assert f"Unix socket {path}, asking for localhost/" in result.stdout
