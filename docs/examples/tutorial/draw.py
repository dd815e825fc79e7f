from __future__ import annotations

import asyncio
import json
import math
import ssl
from itertools import pairwise
from pathlib import Path

from twoway.asyncio import connect

CERTIFICATE = Path(__file__).with_name("cert.pem")


def circle(x: float, y: float, radius: float) -> list[tuple[int, int]]:
    angles = [math.tau * step / 60 for step in range(61)]
    return [(round(x + radius * math.cos(angle)), round(y + radius * math.sin(angle))) for angle in angles]


async def main() -> None:
    context = ssl.create_default_context(cafile=CERTIFICATE)
    lines = [[*start, *end, 1] for start, end in pairwise(circle(500, 500, 300))]
    async with connect("wss://localhost:8765/ws", ssl=context, auth=("ada", "correct horse")) as connection:
        for line in lines:
            await connection.send(json.dumps({"draw": line}))
        async for message in connection:
            if json.loads(message) == {"draw": lines[-1]}:  # the last one has come back: all are on the board
                break
    print("There is a circle on the board.")


asyncio.run(main())
