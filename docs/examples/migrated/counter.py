"""A counter that everybody may change and everybody sees, and how many they are."""

from __future__ import annotations

import asyncio
import json

from twoway.asyncio import ServerConnection, broadcast, serve

present: set[ServerConnection] = set()
value = [0]  # changed by all handlers


def users() -> str:
    return json.dumps({"type": "users", "count": len(present)})


async def handler(connection: ServerConnection) -> None:
    present.add(connection)
    try:
        broadcast(present, users())
        await connection.send(json.dumps({"type": "value", "value": value[0]}))
        async for message in connection:
            event = json.loads(message)
            if event.get("action") in {"plus", "minus"}:
                value[0] += 1 if event["action"] == "plus" else -1
                broadcast(present, json.dumps({"type": "value", "value": value[0]}))
            else:
                await connection.close(1008, "plus or minus")
    finally:
        present.remove(connection)
        broadcast(present, users())


async def main() -> None:
    async with serve(handler, "127.0.0.1", 8765) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
