"""Messages to compress: the same in each run, all different, alike as those of one application are."""

from __future__ import annotations

import json
import random
import zlib
from pathlib import Path

SEED = 7692
TEXT = """
    the a and to of in it is that you for on with as was at be this have from or not are but what all when we there can
    an your which their said if will each about how up out them then she many some so these would other into has more
    her two like him see time could no make than first been its who now people my made over did down only way find use
    may water long little very after words called just where most know get through back much before go good new write
"""
WORDS = TEXT.split()


def json_message(chance: random.Random, size: int) -> bytes:
    """Make a message as a trading or telemetry feed sends it, of about so many bytes."""
    items: list[dict[str, object]] = []
    message = {
        "type": chance.choice(("update", "snapshot", "trade")),
        "sequence": chance.randrange(10**7),
        "symbol": "".join(chance.choices("ABCDEFGH", k=4)),
        "time": f"2026-03-{chance.randrange(1, 29):02}T12:{chance.randrange(60):02}:{chance.randrange(60):02}Z",
        "items": items,
    }
    while len(json.dumps(message)) < size - 30:
        items.append(
            {
                "price": chance.randrange(100000) / 100,
                "quantity": chance.randrange(500),
                "side": chance.choice(("buy", "sell")),
            }
        )
    return json.dumps(message).encode()


def chat_message(chance: random.Random) -> bytes:
    """Make a line of chat in JSON, 80 to 250 bytes."""
    text = " ".join(chance.choices(WORDS, k=chance.randrange(3, 35)))
    user = chance.choice(("ada", "grace", "edsger", "barbara", "donald", "radia"))
    return json.dumps({"user": user, "room": "lobby", "text": text.capitalize() + "."}).encode()


def write_compressed(file: Path, size: int, count: int = 1000) -> None:
    """
    Write messages as permessage-deflate has them on the wire, each after its length, for the load generator.

    Args:
        file: Where to.
        size: Of a message, about; bytes.
        count: How many messages.

    Spec:
        RFC 7692 §7.2.1.
    """
    chance = random.Random(SEED)
    compressor = zlib.compressobj(wbits=-12, memLevel=5)
    with file.open("wb") as output:
        for _ in range(count):
            data = compressor.compress(json_message(chance, size)) + compressor.flush(zlib.Z_SYNC_FLUSH)
            payload = data[:-4]
            output.write(len(payload).to_bytes(4, "big") + payload)
