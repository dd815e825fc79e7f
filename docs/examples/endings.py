"""How connections end, and what each side is told; two peers in memory, with a clock of their own."""

from __future__ import annotations

from collections.abc import Callable

from twoway.protocol import Protocol, ServerOptions
from twoway.protocol.testing import Pair, connected_pair


def cut_the_cable(pair: Pair) -> None:
    pair.online = False
    pair.advance(60)


def close_after_a_cut(pair: Pair) -> None:
    pair.online = False
    pair.client.close(1000, now=pair.now)
    pair.advance(60)


def both_close(pair: Pair) -> None:
    pair.client.close(1000, now=pair.now)
    pair.server.close(4000, now=pair.now)


ENDINGS: dict[str, Callable[[Pair], object]] = {
    "the client closes: 1000": lambda pair: pair.client.close(1000, now=pair.now),
    "the server closes: 1001": lambda pair: pair.server.close(1001, now=pair.now),
    "the client closes without a code": lambda pair: pair.client.close(1005, now=pair.now),
    "both at once: 1000, 4000": both_close,
    "the client sends a frame without a mask": lambda pair: pair.server.receive_data(b"\x81\x02Hi", pair.now),
    "the server sends text that is no UTF-8": lambda pair: pair.client.receive_data(b"\x81\x01\xff", pair.now),
    "the client sends more than max_size": lambda pair: pair.client.send_text("x" * 2000),
    "the server has an error: 1011": lambda pair: pair.server.fail(1011, now=pair.now),
    "the stream ends without a Close frame": lambda pair: pair.disconnect(),
    "the system says: connection reset": lambda pair: pair.disconnect(ConnectionResetError("reset")),
    "the client aborts": lambda pair: pair.client.abort(),
    "a cable is cut": cut_the_cable,
    "a cable is cut, and the client closes": close_after_a_cut,
    "the server has max_lifetime=30": lambda pair: pair.advance(30),
}


def told(side: Protocol) -> str:
    assert side.cause is not None
    return f"{side.close_code}  {side.cause.name}"


def main() -> None:
    print(f"{'what happens':<40}  {'the client':<21}  the server")
    for what, happen in ENDINGS.items():
        lifetime = 30 if "max_lifetime" in what else None
        pair = connected_pair(server_options=ServerOptions(max_size=1000, max_lifetime=lifetime))
        happen(pair)
        pair.exchange()
        print(f"{what:<40}  {told(pair.client):<21}  {told(pair.server)}")
    refused = Pair(answer=lambda server, request: server.reject(403, "No.\n")).open()
    print(f"{'the server refuses: 403':<40}  {told(refused.client):<21}  {told(refused.server)}")
    silent = Pair()  # nobody says anything
    silent.advance(30)
    print(f"{'the opening handshake never comes':<40}  {told(silent.client):<21}  {told(silent.server)}")


main()
