"""The program of docs/howto/reverse-proxies.md behind the configurations of the page, which differ in ports only."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from server_rig.program import free_ports, is_listening

from twoway.protocol import InvalidStatus
from twoway.threading import connect

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
DEADLINE = 10  # seconds
CHAT = {"Host": "chat.example"}

# What stands around the page's part of nginx.conf; relative paths are in the folder of the program.
NGINX = """daemon off;
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
# The same for Apache, whose modules are where Debian has them.
APACHE = """ServerName localhost
PidFile apache.pid
DefaultRuntimeDir .
ErrorLog /dev/stderr
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
Include {}
"""
# Program -> command line, configuration of the page, how it says where to listen, what stands around.
PROXIES = {
    "nginx": (["-e", "stderr", "-p", "{{folder}}", "-c"], "nginx.conf", ("listen 80;", "listen 127.0.0.1:{};"), NGINX),
    "haproxy": (["-db", "-f"], "haproxy.cfg", ("bind :80", "bind 127.0.0.1:{}"), None),
    "apache2": (
        ["-DFOREGROUND", "-d", "{{folder}}", "-f"],
        "apache.conf",
        ("<VirtualHost *:80>", "Listen 127.0.0.1:{0}\n<VirtualHost 127.0.0.1:{0}>"),
        APACHE,
    ),
}


def wait_for(port):
    end = time.monotonic() + DEADLINE
    while not is_listening(port):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def ports():
    return free_ports(2)


@pytest.fixture
def behind(tmp_path, ports):
    """Start the program of the page."""
    program = tmp_path / "program.py"
    source = (EXAMPLES / "behind_a_proxy.py").read_text(encoding="utf-8")
    program.write_text(source.replace("8765", str(ports[1])), encoding="utf-8")
    with subprocess.Popen([sys.executable, program]) as process:
        wait_for(ports[1])
        yield
        process.kill()


@pytest.fixture(params=PROXIES)
def port(request, behind, ports, folder, start):
    """Start a proxy in front of it."""
    arguments, name, (old, new), around = PROXIES[request.param]
    text = (EXAMPLES / "reverse_proxies" / name).read_text(encoding="utf-8")
    assert old in text and "127.0.0.1:8765" in text
    text = text.replace(old, new.format(ports[0])).replace("127.0.0.1:8765", f"127.0.0.1:{ports[1]}")
    config = folder / f"page-{name}"
    config.write_text(text, encoding="utf-8")
    if around is not None:
        main = folder / f"around-{name}"
        main.write_text(around.format(config), encoding="utf-8")
        config = main
    proxy = start(request.param, [*arguments, str(config)], [])
    wait_for(ports[0])
    yield ports[0]
    proxy.stop()


def test_the_configurations_of_the_page(port):
    with connect(f"ws://127.0.0.1:{port}/", additional_headers={**CHAT, "X-Forwarded-For": "10.0.0.1"}) as client:
        assert client.recv() == "You are 127.0.0.1"  # what the proxy saw, not what the client claims
        client.send("hello" * 50_000)
        assert client.recv() == "hello" * 50_000
    health = urllib.request.Request(f"http://127.0.0.1:{port}/health", headers=CHAT)
    with urllib.request.urlopen(health) as answer:
        assert answer.read() == b"I am well.\n"
    with pytest.raises(InvalidStatus, match="421"):
        connect(f"ws://127.0.0.1:{port}/", additional_headers={"Host": "other.example"}).connect()
