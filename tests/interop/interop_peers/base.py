"""What all peers have in common, so that one test is written once and runs against each of them."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from base64 import b64encode
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: Largest message that a peer accepts when a test sets no limit; bytes.
ROOMY = 8 * 1024 * 1024


@dataclass(frozen=True)
class Certificates:
    """A server's certificate and the authority that vouches for it: as contexts for Python, as files for the others."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    chain_file: str
    key_file: str
    authority_file: str

    @property
    def pin(self) -> str:
        """Give the SHA-256 of the server's public key, as browsers want to be told whom to trust."""
        certificate = x509.load_pem_x509_certificate(Path(self.chain_file).read_bytes())
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b64encode(hashlib.sha256(key).digest()).decode()


@dataclass(frozen=True)
class Settings:
    """
    What a test asks of the peer's side of a connection.

    Attributes:
        subprotocols: Offered or supported ones, preferred ones first.
        deflate: None for no compression, else parameters of permessage-deflate under the names of RFC 7692.
        max_size: Largest message; bytes.
        tls: None for none.
        origin: Value of the client's header ``Origin``.
        headers: Further headers of the client's request.
        refusal: HTTP status with which the server refuses everybody, None for not.
    """

    subprotocols: Sequence[str] = ()
    deflate: dict[str, bool | int] | None = None
    max_size: int = ROOMY
    tls: Certificates | None = None
    origin: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    refusal: int | None = None


class Refused(Exception):
    """The handshake failed, as the peer's library tells it: with the HTTP status, or 0 where it does not tell."""

    def __init__(self, status: int = 0) -> None:
        super().__init__(status)
        self.status = status


class End:
    """
    One end of a connection, in the hands of a peer's library.

    Whoever makes it calls the three methods that begin with ``on_`` for what the library receives.

    Attributes:
        closed: Done when the connection is; close code and reason as the library tells them.
        subprotocol: The negotiated one, None for none.
        deflate: Whether the library says that permessage-deflate was negotiated; None where it does not tell.
    """

    subprotocol: str | None = None
    deflate: bool | None = None

    def __init__(self) -> None:
        self.closed: asyncio.Future[tuple[int | None, str]] = asyncio.get_running_loop().create_future()
        self._messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._pongs: asyncio.Queue[bytes] = asyncio.Queue()

    async def recv(self) -> str | bytes:
        """Receive a message."""
        message = await self._messages.get()
        if message is None:
            self._messages.put_nowait(None)
            raise ConnectionError(f"the peer's connection is closed: {self.closed.result()}")
        return message

    async def recv_pong(self) -> bytes:
        """Receive the payload of a pong."""
        return await self._pongs.get()

    def on_message(self, message: str | bytes) -> None:
        self._messages.put_nowait(message)

    def on_pong(self, payload: bytes) -> None:
        self._pongs.put_nowait(payload)

    def on_close(self, code: int | None, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result((code, reason))
            self._messages.put_nowait(None)

    async def send(self, message: str | bytes) -> None:
        raise NotImplementedError

    async def send_fragments(self, parts: Sequence[str] | Sequence[bytes]) -> None:
        """Send one message in a frame for each part, perhaps with an empty frame at its end."""
        raise NotImplementedError

    async def ping(self, payload: bytes) -> None:
        raise NotImplementedError

    async def close(self, code: int | None = None, reason: str = "") -> None:
        """Start the closing handshake; None for an empty Close frame."""
        raise NotImplementedError

    async def abort(self) -> None:
        """Drop the connection without a closing handshake."""
        raise NotImplementedError


@dataclass
class Listener:
    """A peer's server: where it is, and the connections that it accepted."""

    port: int
    accepted: asyncio.Queue[Any]

    async def accept(self) -> Any:
        return await self.accepted.get()


class Peer:
    """
    A WebSocket implementation that is not ours.

    Attributes:
        name: In the names of tests.
        can: What tests may ask of it:
            ``serve``; ``ping``; ``fragments``; ``abort``; ``tls``;
            ``deflate``: permessage-deflate; ``server window``: a client that limits the server's window;
            ``parameters``: all parameters; ``plain``: do without permessage-deflate;
            ``smallest window``: bear a demand for 8 bits, other clients give up on the handshake;
            ``any code``: close with codes other than 1000 and 3000-4999;
            ``no code``: close with an empty Close frame;
            ``limit``: refuse what is over ``max_size`` with 1009;
            ``headers``: set headers of its own; ``status``: tell the HTTP status of a refusal.
    """

    name = ""
    can: frozenset[str] = frozenset()

    async def connect(self, uri: str, settings: Settings) -> Any:
        """Open a connection; raises `Refused`."""
        raise NotImplementedError

    def serve(self, settings: Settings) -> AbstractAsyncContextManager[Listener]:
        """Listen on a free port of 127.0.0.1."""
        raise NotImplementedError
