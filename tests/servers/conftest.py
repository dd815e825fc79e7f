"""
Servers that others wrote, each started once, when the first test needs it; and drivers as one blocking interface.

A server that is not installed fails its tests, and ``install.py`` beside this file installs it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
import os
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent))

from server_rig.drivers import DRIVERS, Driver, echo
from server_rig.program import Program, free_ports, give_away
from server_rig.sites import IDLE_TIMEOUT, REVERSE_PROXIES, ROUTES, Site, SiteMaker, Upstream

# User -> password. Both realms know both.
USERS = {"ada": "open sesame", "gr\u00fcn": "p\u00e4ss:wort"}
Curl: TypeAlias = Callable[..., tuple[int, str]]
Starter: TypeAlias = Callable[..., Program]
REALMS = {"basic": "behind Basic", "digest": "behind Digest"}


def pytest_configure(config: pytest.Config) -> None:
    # Whoever ends us, ends the servers, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "not_through(*routes): what of the reverse proxies a test leaves out")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "driver" in metafunc.fixturenames:
        metafunc.parametrize("driver", list(DRIVERS), indirect=True, scope="session")
    if "site" in metafunc.fixturenames:
        left_out = _marked(metafunc, "not_through")
        routes = [route for route in ROUTES if not left_out & set(route)]
        metafunc.parametrize("site", routes, ids=["-".join(route) for route in routes], indirect=True)


def _marked(metafunc: pytest.Metafunc, name: str) -> set[str]:
    return {value for mark in metafunc.definition.iter_markers(name) for value in mark.args}


@pytest.fixture(autouse=True)
def no_proxy_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    driver = DRIVERS[request.param]()
    yield driver
    driver.close()


# What servers need


@pytest.fixture(scope="session")
def install() -> Any:
    spec = importlib.util.spec_from_file_location("servers_install", Path(__file__).with_name("install.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that other users can read, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="twoway-servers-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def files(folder: Path, authority: trustme.CA, install: Any) -> dict[str, Path]:
    """Certificates and passwords in the formats that the servers read."""
    files = {name: folder / name for name in ("chain", "key", "pem", "ca", "users", "digests", "hosts")}
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.cert_chain_pems[0].write_to_path(str(files["chain"]))
    certificate.private_key_pem.write_to_path(str(files["key"]))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(files["pem"]))
    authority.cert_pem.write_to_path(str(files["ca"]))
    htpasswd = [install.program("htpasswd"), "-nbm"]
    lines = [subprocess.check_output([*htpasswd, *user], text=True).strip() for user in USERS.items()]
    files["users"].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    lines = [f"{user}:{REALMS['digest']}:{_ha1(user, password)}\n" for user, password in USERS.items()]
    files["digests"].write_text("".join(lines), encoding="utf-8")
    files["hosts"].write_text("127.0.0.1 localhost server.test forbidden.test\n")
    for path in files.values():
        give_away(path)
    return files


def _ha1(user: str, password: str) -> str:
    return hashlib.md5(f"{user}:{REALMS['digest']}:{password}".encode()).hexdigest()


@pytest.fixture(scope="session")
def start(folder: Path, files: dict[str, Path], install: Any) -> Iterator[Starter]:
    """What starts a program with a command line, and stops it at the end."""
    programs: list[Program] = []
    modules, helpers = "/usr/lib/apache2/modules", "/usr/lib/squid"

    def start(
        name: str, arguments: Sequence[str], ports: Sequence[str], config: str | None = None, **values: object
    ) -> Program:
        path = install.program(name)
        if path is None:
            pytest.fail(f"{name} is not installed; run: python tests/servers/install.py")
        where = folder / f"{name}-{len(programs)}"
        known = {**files, "modules": modules, "helpers": helpers, **values}
        program = Program([path, *arguments], where, ports, config, known)
        programs.append(program)
        program.start()
        return program

    yield start
    for program in programs:
        program.stop()


# Reverse proxies


@pytest.fixture(scope="session")
def upstream(folder: Path) -> Upstream:
    return Upstream(free_ports(1)[0], folder / "upstream.sock")


@pytest.fixture(scope="session")
def reverse_proxy(start: Starter, upstream: Upstream) -> Callable[[str], Program]:
    """What gives a reverse proxy that is running, by its name."""

    @functools.cache
    def reverse_proxy(name: str) -> Program:
        arguments, config, ports = REVERSE_PROXIES[name]
        values = {"upstream_port": upstream.port, "upstream_path": upstream.path, "idle_timeout": IDLE_TIMEOUT}
        return start(name, arguments, ports, config, **values)

    return reverse_proxy


@pytest.fixture
def make_site(
    driver: Driver, upstream: Upstream, trust: ssl.SSLContext, reverse_proxy: Callable[[str], Program]
) -> SiteMaker:
    def make_site(name: str, route: str) -> Site:
        return Site(driver, name, route, reverse_proxy(name).ports[route], upstream, trust)

    return make_site


@pytest.fixture
def site(request: pytest.FixtureRequest, make_site: SiteMaker) -> Site:
    return make_site(*request.param)


# Proxies for clients


@pytest.fixture(scope="session")
def squid(start: Starter) -> Program:
    return start("squid", ["-N", "-f", "{{config}}"], ["plain", "basic", "digest", "tls"], "squid.conf")


@pytest.fixture(scope="session")
def socks(start: Starter) -> Program:
    return start("microsocks", ["-i", "127.0.0.1", "-p", "{{port}}"], ["port"])


@pytest.fixture(scope="session")
def socks_with_password(start: Starter) -> Program:
    user, password = next(iter(USERS.items()))
    return start("microsocks", ["-i", "127.0.0.1", "-p", "{{port}}", "-u", user, "-P", password], ["port"])


@pytest.fixture(scope="session")
def dante(start: Starter) -> Program:
    return start("danted", ["-f", "{{config}}"], ["port"], "danted.conf")


@pytest.fixture(scope="session")
def curl(install: Any, files: dict[str, Path]) -> Curl:
    """What runs curl with arguments, and returns its exit status and what it has printed."""

    def curl(*arguments: str) -> tuple[int, str]:
        command = [install.program("curl"), "--silent", "--show-error", "--max-time", "20", *arguments]
        environment = {"PATH": os.defpath, "LANG": "C.UTF-8"}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
        return result.returncode, result.stdout + result.stderr

    return curl


@pytest.fixture
def health(driver: Driver) -> Iterator[int]:
    """The port of a server of ours that says on GET /health that it is well."""

    def process_request(connection: Any, request: Any) -> Any:
        return connection.respond(200, "I am well.\n") if request.path == "/health" else None

    (port,) = free_ports(1)
    with driver.serve(echo, port, process_request=process_request):
        yield port


@pytest.fixture(autouse=True)
def no_error_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    records = [record for record in caplog.get_records("call") if record.name.startswith("twoway")]
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []
