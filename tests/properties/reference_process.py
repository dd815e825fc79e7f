"""
Run streams of bytes through connections, and tell what they did: the other half of `test_implementations.py`.

As a program it reads jobs, one a line in hexadecimal, and answers each with a line. In a process of its own it uses the
pure codec, whatever the process that asks it uses.
"""

from __future__ import annotations

import json
import sys

from twoway.deflate import ServerPerMessageDeflateFactory
from twoway.frames import IMPLEMENTATION
from twoway.http import Request
from twoway.protocol import ServerOptions, ServerProtocol

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


def transcript(pieces: list[bytes], fragments: bool, max_size: int) -> list[object]:
    """Feed a server with the pieces; give all that its user sees and all that its peer gets."""
    options = ServerOptions(extensions=[ServerPerMessageDeflateFactory()], fragments=fragments, max_size=max_size)
    server = ServerProtocol(options, 0.0)
    server.receive_data(HANDSHAKE, 0.0)
    (request,) = server.events()
    assert isinstance(request, Request)
    server.send_response(server.accept(request), 0.0)
    seen: list[object] = []
    for number, piece in enumerate(pieces):
        server.receive_data(piece, float(number))
        seen.append([repr(event) for event in server.events()])
        seen.append([data.hex() for data in server.data_to_send()])
        seen.append([server.state.name, str(server.cause), server.half_close, server.aborted])
    server.receive_eof(99.0)
    return [*seen, [repr(event) for event in server.events()], str(server.close_exc), str(server.close_exc.__cause__)]


def main() -> None:
    """Answer jobs until there are no more."""
    print(IMPLEMENTATION, flush=True)
    for line in sys.stdin:
        pieces, fragments, max_size = json.loads(line)
        print(json.dumps(transcript(list(map(bytes.fromhex, pieces)), fragments, max_size)), flush=True)


if __name__ == "__main__":
    main()
