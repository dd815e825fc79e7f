from __future__ import annotations

import asyncio
import logging
import ssl

from twoway.asyncio import ConnectionClosed, backoff, connect, process_exception


async def fresh_headers() -> dict[str, str]:
    return {"Authorization": "Bearer " + "token of the moment"}  # ask for it here


def is_final(exc: Exception) -> Exception | None:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return exc
    return process_exception(exc)


async def main() -> None:
    connections = connect(
        "ws://127.0.0.1:8765/",
        additional_headers=fresh_headers,
        process_exception=is_final,
        reconnect_delays=lambda: backoff(initial_delay=0.5, max_delay=30),
        max_attempts=20,
        on_state=lambda state, exc: print(state),
    )
    async for websocket in connections:
        try:
            async for message in websocket:
                print("received", message)
                if message == "that was all":
                    return
        except ConnectionClosed:
            continue


logging.basicConfig(level=logging.INFO)  # a line for each attempt that fails
asyncio.run(main())
