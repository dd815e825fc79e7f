"""Reverse proxies, and our server behind them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .drivers import Driver, Handler, echo

# Seconds. What the listener "idle" of each reverse proxy waits for data in a connection.
IDLE_TIMEOUT = 1

# Program -> command line after its path, configuration, and names of listeners. The three have the first four in
# common: a TCP upstream, TLS in front of it, a Unix socket as upstream, a short time until idle connections are cut.
LISTENERS = ["tcp", "tls", "unix", "idle"]
REVERSE_PROXIES = {
    "nginx": (["-e", "stderr", "-p", "{{folder}}", "-c", "{{config}}"], "nginx.conf", LISTENERS),
    "haproxy": (["-db", "-f", "{{config}}"], "haproxy.cfg", LISTENERS),
    "apache2": (["-DFOREGROUND", "-f", "{{config}}"], "apache.conf", [*LISTENERS, "wstunnel"]),
}
# Those that pass messages on; "idle" has tests of its own.
ROUTES = [(name, route) for name, (_, _, names) in REVERSE_PROXIES.items() for route in names if route != "idle"]


@dataclass(frozen=True)
class Upstream:
    """
    Hold where our server listens.

    Args:
        port: Of 127.0.0.1.
        path: Of a Unix socket.
    """

    port: int
    path: Path


@dataclass(frozen=True)
class Site:
    """
    Hold a way to our server, through a reverse proxy.

    Args:
        driver: For both ends.
        proxy: Name of the program.
        route: Name of its listener.
        port: Of the listener.
        upstream: Where our server is.
        trust: What our clients know of certificates.
    """

    driver: Driver
    proxy: str
    route: str
    port: int
    upstream: Upstream
    trust: ssl.SSLContext

    @property
    def tls(self) -> bool:
        """Tell whether clients need TLS."""
        return self.route == "tls"

    def uri(self, path: str = "/") -> str:
        """Return what clients ask for."""
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}{path}"

    def connect(self, path: str = "/", **options: Any) -> Any:
        """Connect, in a context manager that gives our client's end."""
        return self.driver.connect(self.uri(path), **({"ssl": self.trust} if self.tls else {}), **options)

    def serve(self, handler: Handler = echo, **options: Any) -> Any:
        """Run our server in a context manager."""
        address = self.upstream.path if self.route == "unix" else self.upstream.port
        return self.driver.serve(handler, address, **options)

    @contextmanager
    def open(self, handler: Handler = echo, path: str = "/", **options: Any) -> Iterator[Any]:
        """Run our server and connect to it, both with the same options."""
        with self.serve(handler, **options), self.connect(path, **options) as client:
            yield client


#: Gives a `Site`, for the name of a reverse proxy and of its listener.
SiteMaker = Callable[[str, str], Site]
