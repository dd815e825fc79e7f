"""Who is measured: a library, the loop that it runs on, and the roles that it can play."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from _setup import PEERS, Tools

SERVES = frozenset({"echo", "receive", "memory"})
WITH_TLS = SERVES | {"tls"}
COMPRESSES = WITH_TLS | {"compressed"}
BROADCASTS = COMPRESSES | {"broadcast"}
CONNECTS = frozenset({"request", "consume"})
IMPORTED = frozenset({"import"})
COMPRESSED = frozenset({"compressed"})
CALLBACKS = WITH_TLS | CONNECTS | {"broadcast"}
THREADS = COMPRESSES | CONNECTS | IMPORTED


class Contestant(NamedTuple):
    """
    Name one row of the tables.

    Args:
        name: What it is called in tables and options.
        program: The file in ``peers``; empty for the load generator.
        roles: What it can do.
        needs: What must be installed: distributions, or "Node.js".
        loop: The event loop.
        module: What an application imports; empty where that is not measured.
        pure: Whether twoway must not use what is compiled.
        engine: What twoway compresses with; None for what its default is.
    """

    name: str
    program: str
    roles: frozenset[str]
    needs: tuple[str, ...] = ()
    loop: str = "asyncio"
    module: str = ""
    pure: bool = False
    engine: str | None = None

    def is_ready(self, versions: dict[str, str]) -> bool:
        """Tell whether all that it needs is installed."""
        return all(name in versions for name in self.needs)

    def command(self, tools: Tools, *arguments: str) -> list[str]:
        """Give the command that runs it."""
        if not self.program:
            return [str(tools.load), *arguments]
        if self.program.endswith(".cjs"):
            return [str(tools.node), str(PEERS / self.program), *arguments]
        engine = ["--engine", self.engine] if self.engine else []
        return [str(tools.python), str(PEERS / self.program), *arguments, "--loop", self.loop, *engine]

    def environment(self, tools: Tools) -> dict[str, str]:
        """Give its environment variables."""
        return {**tools.environment, "TWOWAY_PURE": "1"} if self.pure else tools.environment

    @property
    def path(self) -> Path:
        """Say where its program is."""
        return PEERS / self.program


OURS, THEIRS, CORE, LIKE = "twoway_asyncio.py", "websockets_asyncio.py", "picows_core.py", "picows_websockets.py"
EVERYTHING = BROADCASTS | CONNECTS

CONTESTANTS = (
    Contestant("C", "", frozenset({"echo"})),
    Contestant("bare socket", "bare_socket.py", CONNECTS),
    Contestant("twoway", OURS, EVERYTHING | IMPORTED, module="twoway.asyncio"),
    Contestant("twoway+aiofastnet", OURS, EVERYTHING - {"tls"}, ("aiofastnet",), "aiofastnet"),
    Contestant("twoway+uvloop", OURS, EVERYTHING, ("uvloop",), "uvloop"),
    Contestant("twoway+uvloop+aiofastnet", OURS, EVERYTHING - {"tls"}, ("uvloop", "aiofastnet"), "uvloop+aiofastnet"),
    Contestant("twoway, zlib-ng", OURS, COMPRESSED, ("zlib-ng",), engine="zlib-ng"),
    Contestant("twoway, isal", OURS, COMPRESSED, ("isal",), engine="isal"),
    Contestant("twoway, pure", OURS, EVERYTHING, pure=True),
    Contestant("twoway.threading", "twoway_threading.py", THREADS, module="twoway.threading"),
    Contestant("websockets", THEIRS, EVERYTHING | IMPORTED, ("websockets",), module="websockets.asyncio.server"),
    Contestant("websockets+uvloop", THEIRS, EVERYTHING, ("websockets", "uvloop"), "uvloop"),
    Contestant(
        "websockets.sync",
        "websockets_threading.py",
        THREADS,
        ("websockets",),
        module="websockets.sync.server",
    ),
    Contestant("picows", CORE, CALLBACKS | IMPORTED, ("picows",), module="picows"),
    Contestant("picows+uvloop", CORE, CALLBACKS, ("picows", "uvloop"), "uvloop"),
    Contestant(
        "picows.websockets", LIKE, EVERYTHING | IMPORTED, ("picows",), module="picows.websockets.asyncio.server"
    ),
    Contestant("picows.websockets+uvloop", LIKE, EVERYTHING, ("picows", "uvloop"), "uvloop"),
    Contestant("aiohttp", "aiohttp_web.py", EVERYTHING | IMPORTED, ("aiohttp",), module="aiohttp.web"),
    Contestant("aiohttp+uvloop", "aiohttp_web.py", EVERYTHING, ("aiohttp", "uvloop"), "uvloop"),
    Contestant("wsproto", "wsproto_asyncio.py", COMPRESSES | IMPORTED, ("wsproto",), module="wsproto"),
    Contestant(
        "websocket-client", "websocket_client.py", CONNECTS | IMPORTED, ("websocket-client",), module="websocket"
    ),
    Contestant("ws (Node.js)", "ws_node.cjs", BROADCASTS, ("ws",)),
)
