from __future__ import annotations

import os
import re
import signal

import pytest


def test_messages_come_back_and_the_log_tells(start, run):
    process, line = start("echo", "--port", "0")
    port = re.fullmatch(r"Echo server at ws://localhost:(\d+)/  \(Ctrl-C stops it\)\n", line)[1]
    assert run("connect", f"ws://localhost:{port}/a", "--count", "2", input="1\n2\n").stdout == "1\n2\n"
    assert process.stderr.readline().endswith("connected: /a\n")
    assert process.stderr.readline().endswith("ended after 2 messages: closed by the peer\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_stopped_gently(start, number):
    process, _ = start("echo", "--port", "0")
    process.send_signal(number)
    assert process.wait(20) == 0
    assert process.stderr.read() == ""


def test_tls_and_password(start, run, tls):
    options = ["--port", "0", "--cert", str(tls.cert), "--auth", "ada:secret", "--subprotocol", "chat", "--no-compress"]
    _, line = start("echo", *options)
    uri = re.search(r"wss://localhost:\d+/", line)[0]
    asked = ["connect", uri, "--ca", str(tls.ca), "--count", "1"]
    assert run(*asked, "--auth", "ada:secret", "--subprotocol", "chat", input="x\n").stdout == "x\n"
    assert run(*asked, input="x\n").returncode == 21


def test_limits(start, run):
    _, line = start("echo", "--port", "0", "--max-connections", "1", "--max-size", "10")
    uri = re.search(r"ws://localhost:\d+/", line)[0]
    assert run("connect", uri, input="more than ten\n").returncode == 33


def test_a_port_that_is_taken(start, run):
    _, line = start("echo", "--port", "0")
    port = re.search(r":(\d+)/", line)[1]
    result = run("echo", "--port", port)
    assert result.returncode == 11
    assert result.stderr.startswith(f"Cannot listen on localhost:{port}: ")


def test_a_certificate_that_is_none(cli):
    result = cli("echo", "--port", "0", "--cert", __file__)
    assert result.exit_code == 2
    assert "TLS cannot use" in result.stderr
