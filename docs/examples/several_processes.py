from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal

from twoway.asyncio import ServerConnection, serve

PROCESSES = 2


async def tell_who(connection: ServerConnection) -> None:
    await connection.send(str(os.getpid()))


async def work() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(tell_who, "127.0.0.1", 8765, reuse_port=True) as server:
        await stop.wait()
        await server.shutdown(grace=10, spread=5)


def worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes, and the parent tells the others
    asyncio.run(work())


def main() -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=worker) for _ in range(PROCESSES)]
    for process in workers:
        process.start()

    def stop(*_: object) -> None:
        for process in workers:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for process in workers:
        process.join()
    print("All workers have ended.")


if __name__ == "__main__":
    main()
