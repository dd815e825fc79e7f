"""The last part of the tutorial, docs/tutorial/deployment.md: its processes behind nginx, with its configuration."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from server_rig.program import free_ports, is_listening

from twoway.protocol import ConnectionClosed, InvalidStatus
from twoway.threading import connect

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "tutorial"
ADA = ("ada", "correct horse")
LINE = {"draw": [1, 2, 3, 4, 5]}
DEADLINE = 10  # seconds

# What stands around it in nginx.conf; relative paths are in the folder of the program.
WRAPPER = """daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include {};
}}
"""


@pytest.fixture
def ports():
    return dict(zip(("443 ssl", "8001", "8002"), free_ports(3), strict=True))


@pytest.fixture
def origin(ports):
    return f"https://localhost:{ports['443 ssl']}"


@pytest.fixture
def processes(tmp_path, ports, origin):
    """Hub and workers, ready."""
    for path in EXAMPLES.rglob("*.*"):
        if path.suffix != ".pyc":
            target = tmp_path / path.relative_to(EXAMPLES)
            target.parent.mkdir(exist_ok=True)
            text = path.read_text(encoding="utf-8")
            target.write_text(re.sub(r"\b800[12]\b", lambda match: str(ports[match[0]]), text), encoding="utf-8")
    environment = {**os.environ, "BOARD_FOLDER": str(tmp_path), "BOARD_ORIGIN": origin}
    command = [sys.executable, tmp_path / "deploy.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", env=environment) as process:
        assert [process.stdout.readline()[-10:] for _ in range(3)] == ["is ready.\n"] * 3
        yield process
        process.terminate()
        process.communicate(timeout=DEADLINE)


@pytest.fixture
def open_board(processes, folder, files, start, ports, trust, origin):
    """nginx with the configuration of the page, but for ports, host name and certificate; gives what connects."""
    text = (EXAMPLES / "nginx.conf").read_text(encoding="utf-8")
    for old, new in {
        "443 ssl": f"127.0.0.1:{ports['443 ssl']} ssl",
        "127.0.0.1:8001": f"127.0.0.1:{ports['8001']}",
        "127.0.0.1:8002": f"127.0.0.1:{ports['8002']}",
        "board.example;": "localhost;",
        "/etc/ssl/certs/board.example.pem": str(files["chain"]),
        "/etc/ssl/private/board.example.key": str(files["key"]),
    }.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "board-site.conf").write_text(text, encoding="utf-8")
    main = folder / "board.conf"
    main.write_text(WRAPPER.format(folder / "board-site.conf"), encoding="utf-8")
    nginx = start("nginx", ["-e", "stderr", "-p", "{{folder}}", "-c", str(main)], [])
    end = time.monotonic() + DEADLINE
    while not is_listening(ports["443 ssl"]):
        assert time.monotonic() < end, nginx.output()
        time.sleep(0.02)

    def connect_to_it(**options):
        uri = origin.replace("https", "wss") + "/ws"
        return connect(uri, ssl=trust, origin=origin, **options)

    yield connect_to_it
    nginx.stop()


def hear(connection, kind):
    """Give what the next message of a kind says."""
    for message in connection:
        change = json.loads(message)
        if kind in change:
            return change[kind]
    raise AssertionError(f"no {kind!r} came")


def end_of(connection):
    try:
        while True:
            connection.recv(timeout=DEADLINE)
    except ConnectionClosed as exc:
        return exc.code


def test_the_page_brings_a_token_that_opens_the_board(open_board, ports, trust):
    page = http.client.HTTPSConnection("localhost", ports["443 ssl"], context=trust, timeout=DEADLINE)
    page.request("GET", "/", headers={"Authorization": "Basic YWRhOmNvcnJlY3QgaG9yc2U="})
    response = page.getresponse()
    assert (response.status, b"board.js" in response.read()) == (200, True)
    page.close()
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    with ExitStack() as stack:  # on both workers
        for _ in range(4):
            connection = stack.enter_context(open_board(additional_headers={"Cookie": cookie}))
            assert hear(connection, "board") == []
    with pytest.raises(InvalidStatus) as info, open_board():
        pass
    assert info.value.response.status_code == 401


def test_people_draw_while_the_workers_start_anew(open_board, processes):
    with ExitStack() as stack:
        people = [stack.enter_context(open_board(auth=ADA)) for _ in range(4)]
        people[0].send(json.dumps(LINE))
        assert [hear(person, "draw") for person in people] == [LINE["draw"]] * 4
        processes.send_signal(signal.SIGHUP)
        for person in people:
            assert end_of(person) == 1012
            again = stack.enter_context(open_board(auth=ADA))  # while a worker is missing
            assert hear(again, "board") == [LINE["draw"]]
        for _ in range(2):
            assert processes.stdout.readline().endswith("is ready.\n")
