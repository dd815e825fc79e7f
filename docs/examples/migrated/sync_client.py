"""A client without asyncio: calls that block, and a time limit for each."""

from __future__ import annotations

from twoway.threading import ConnectionClosed, connect


def main() -> None:
    with connect("ws://127.0.0.1:8765/", additional_headers={"X-Visitor": "Ada"}, compression=None) as connection:
        connection.send("first")
        print(connection.recv(timeout=5))
        connection.send(b"\x01\x02")
        print(connection.recv(timeout=5))
        connection.send(["a message ", "in two fragments"])
        print("".join(connection.recv_streaming()))
        try:
            connection.recv(timeout=0.05)
        except TimeoutError:
            print("nothing for a while")
        connection.send("bye")
        try:
            connection.recv(timeout=5)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            print("closed with", closed.rcvd.code, closed.rcvd.reason)


if __name__ == "__main__":
    main()
