from __future__ import annotations

import asyncio
import json
from collections import defaultdict

from twoway.asyncio import ServerConnection, broadcast, serve

subscribers: defaultdict[str, set[ServerConnection]] = defaultdict(set)
latest: dict[str, str] = {}  # topic -> what was published last


def publish(topic: str, text: str, *, by: ServerConnection | None = None) -> int:
    """Tell everybody who has subscribed, but for who publishes; give the number of those who did not get it."""
    latest[topic] = message = json.dumps({"topic": topic, "text": text})
    return len(broadcast(subscribers[topic] - {by}, message))


async def handler(connection: ServerConnection) -> None:
    try:
        async for message in connection:
            request = json.loads(message)
            topic = request["topic"]
            if "text" in request:
                late = publish(topic, request["text"], by=connection)
                await connection.send(json.dumps({"published": topic, "late": late}))
            else:
                subscribers[topic].add(connection)
                await connection.send(latest.get(topic) or json.dumps({"subscribed": topic}))
    finally:
        for topic in [topic for topic, those in subscribers.items() if connection in those]:
            subscribers[topic].discard(connection)
            if not subscribers[topic]:
                del subscribers[topic]


async def main() -> None:
    async with serve(handler, "127.0.0.1", 8765, max_size=4096) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
