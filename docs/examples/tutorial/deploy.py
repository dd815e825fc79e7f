from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

HERE = Path(__file__).parent
PORTS = ["8001", "8002"]


async def start(*arguments: str) -> Process:
    name, *others = arguments
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        HERE / name,
        *others,
        stdout=PIPE,
        process_group=0,  # Ctrl-C is for us, and we tell the others
    )
    assert process.stdout is not None
    print((await process.stdout.readline()).decode(), end="", flush=True)  # "... is ready."
    return process


async def end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()


async def main() -> None:
    os.environ.setdefault("BOARD_SECRET", secrets.token_hex(32))  # what one worker signs, the others can check
    wishes: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, wishes.put_nowait, number)
    hub = await start("hub.py")
    workers = {port: await start("worker.py", port) for port in PORTS}
    while await wishes.get() == signal.SIGHUP:
        for port in PORTS:  # one after the other, so that somebody is always there
            await end(workers[port])
            workers[port] = await start("worker.py", port)
    await asyncio.gather(*map(end, workers.values()))
    await end(hub)  # the last one, for it knows the board
    print("All have ended.")


asyncio.run(main())
