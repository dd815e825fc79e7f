from __future__ import annotations

import asyncio

from twoway.asyncio import ConnectionClosed, InvalidHandshake, connect


async def talk() -> None:
    async with connect("ws://127.0.0.1:8765/", open_timeout=5) as connection:
        pong = await connection.ping()
        print(f"the server is {await pong:.3f} seconds away")
        await connection.send("Are you there?")
        async with asyncio.timeout(5):  # when it is over, the message is not lost: the next recv() gets it
            print(await connection.recv())
        await connection.close(1000, "that was all")
        print("closed with", connection.close_code)


async def main() -> None:
    try:
        await talk()
    except InvalidHandshake as exc:
        print("The server refused:", exc)
    except ConnectionClosed as exc:
        print("The connection ended:", exc.cause, exc.code, exc.reason)
    except OSError as exc:  # TimeoutError is one, too
        print("No server there:", exc)


asyncio.run(main())
