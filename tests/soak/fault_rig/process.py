"""A peer in a process of its own, as the test sees it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .workload import Record

PEER = Path(__file__).with_name("peer.py")
# For what takes no time; seconds.
PATIENCE = 30
# What must not be left behind anywhere, and what Python has more of as time goes by, or less.
_EXACT = ("threads", "tasks", "descriptors", "objects")


class Peer:
    """
    Run a peer, which says what happens in lines of JSON.

    Args:
        arguments: For ``peer.py``, or the path of another program and its arguments.
        environment: Further environment variables.
        prefix: What the command begins with.

    Attributes:
        records: What it has noted of its connections.
        process: The process.
    """

    def __init__(
        self, *arguments: str, environment: dict[str, str] | None = None, prefix: Sequence[str] = (), path: Path = PEER
    ) -> None:
        self.records: list[Record] = []
        self._said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-W", "error", str(path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **(environment or {})},
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"reader of {' '.join(arguments)}")
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            words = json.loads(line)
            if "record" in words:
                self.records.append(Record.read(words["record"]))
            else:
                self._said.put(words)
        self._said.put({"end": True})

    def tell(self, **words: Any) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def hear(self, word: str, patience: float = PATIENCE) -> Any:
        """Wait until it says something, and return what; a peer that does not is an error."""
        try:
            words = self._said.get(timeout=patience)
        except queue.Empty:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(1)
            raise AssertionError(f"no word about {word} for {patience} s; it is here:\n{self.errors()}") from None
        assert word in words, f"{words} instead of a word about {word}:\n{self.errors()}"
        return words[word]

    def ask(self, word: str) -> Any:
        """Send a word, and return the answer."""
        self.tell(do=word)
        return self.hear(word)

    def errors(self) -> str:
        """Return what it has printed to the standard error."""
        self._errors.seek(0)
        return self._errors.read()

    def finish(self) -> None:
        """End it gently, and check that it had nothing to complain of."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.wait()
        assert self.process.returncode == 0, f"it ended with {self.process.returncode}:\n{self.errors()}"
        assert self.errors() == ""

    def wait(self) -> None:
        """Wait until it has ended, and has been heard out."""
        self.process.wait(PATIENCE)
        self._reader.join()

    def kill(self) -> None:
        """End it however it is, and free what it has taken."""
        self.process.kill()
        self.wait()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            with contextlib.suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]


def rest(peer: Peer, like: dict[str, Any] | None = None) -> dict[str, Any]:
    """
    Wait until a peer holds nothing that passes, and return what it holds.

    Args:
        peer: Which one.
        like: What it held before; it is waited for exactly that. None waits for the end of connections only.
    """
    end = time.monotonic() + PATIENCE
    while True:
        now: dict[str, Any] = peer.ask("census")
        if like is None:
            # Threads of handlers live on for a while; later they must be gone.
            now["threads"] = [name for name in now["threads"] if not name.startswith("twoway-handler")]
        if not differences(like, now) if like else not connections(now):
            return now
        assert time.monotonic() < end, f"it does not come to rest: {differences(like, now) if like else now}"
        time.sleep(0.5)


def connections(census: dict[str, Any]) -> list[str]:
    """Return the classes of connections that are alive."""
    return [name for name in census["objects"] if name.endswith(("Connection", "Protocol"))]


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Tell what is different: what it was, and what it is."""
    exact = {key: (before[key], after[key]) for key in _EXACT if key != "objects" and before[key] != after[key]}
    was, now = before["objects"], after["objects"]
    return exact | {name: (was.get(name, 0), count) for name, count in now.items() if count > was.get(name, 0)}
