from __future__ import annotations

import logging
import signal
import threading

from twoway.threading import ServerConnection, serve

STOP = {signal.SIGTERM, signal.SIGINT}


def echo(connection: ServerConnection) -> None:
    for message in connection:
        if message == "never mind":
            threading.Event().wait()  # a handler that would wait for ever
        connection.send(message)
    # The loop has ended, for the connection is closed: here is time to tidy up.


logging.basicConfig(level=logging.INFO)
signal.pthread_sigmask(signal.SIG_BLOCK, STOP)  # no thread is interrupted; one waits for the signals
with serve(echo, "127.0.0.1", 8765) as server:
    signal.sigwait(STOP)
    report = server.shutdown(grace=2, spread=1, code=1012, reason="back in a minute")
print(f"{report.closed} closed, {report.aborted} aborted, {report.abandoned} handlers left behind")
