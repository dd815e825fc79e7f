"""A server that is not ours: started in the foreground with its own configuration, on ports that are free."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

# Seconds. A server that takes longer to start or to stop hangs.
DEADLINE = 30
CONFIGS = Path(__file__).parent / "configs"
# Whom servers run as when we are root: Apache and Squid refuse to, and none of them needs it.
USER, GROUP = "nobody", "nogroup"


def free_ports(count: int) -> list[int]:
    """Find TCP ports of 127.0.0.1 on which nobody listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def is_listening(port: int) -> bool:
    """Tell whether somebody listens on a TCP port of 127.0.0.1."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def give_away(path: Path) -> None:
    """Let the user of the servers own a file or folder."""
    if os.geteuid() == 0:
        shutil.chown(path, USER, GROUP)


class Program:
    """
    Run a server.

    Args:
        command: Its command line; ``{{names}}`` are filled in as in the configuration.
        folder: For everything that it writes; made.
        ports: Names of its ports, which are chosen at each start.
        config: File in ``configs``; None when it needs none.
        values: What else is filled in.

    Attributes:
        ports: Name -> port.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        ports: Sequence[str],
        config: str | None = None,
        values: Mapping[str, object] | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self.ports: dict[str, int] = {}
        self._command = command
        self._folder = folder
        self._names = ports
        self._config = config
        self._values = dict(values or {})
        self._log = folder / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, attempts: int = 3) -> None:
        """Start it, and wait until it listens on all its ports; another program may take one first."""
        self._folder.mkdir(exist_ok=True)
        give_away(self._folder)
        for attempt in range(1, attempts + 1):
            self.ports = dict(zip(self._names, free_ports(len(self._names)), strict=True))
            self._launch()
            if self._wait(lambda: all(map(is_listening, self.ports.values()))):
                return
            self.stop()
            if attempt == attempts:
                raise RuntimeError(f"{self.name} does not start:\n{self.output()}")

    def stop(self) -> None:
        """Stop it and all that it has started."""
        if (process := self._process) is None:
            return
        process.terminate()
        try:
            process.wait(DEADLINE)
        finally:
            with suppress(ProcessLookupError):  # its session is its own: whatever is left of it
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self._process = None

    def output(self) -> str:
        """Return what it has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def wait_for_output(self, text: str) -> None:
        """Wait until it has printed something; fail if it does not."""
        assert self._wait(lambda: text in self.output()), f"{self.name} does not print {text!r}:\n{self.output()}"

    def _launch(self) -> None:
        values = {**self._values, **self.ports, "folder": self._folder}
        if self._config is not None:
            target = self._folder / self._config
            target.write_text(fill((CONFIGS / self._config).read_text(encoding="utf-8"), values), encoding="utf-8")
            values["config"] = target
        self._log.touch()
        give_away(self._log)  # some open it again, as /dev/stderr
        demoted = {"user": USER, "group": GROUP, "extra_groups": []} if os.geteuid() == 0 else {}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [fill(part, values) for part in self._command],
                cwd=self._folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **demoted,  # type: ignore[call-overload]
            )

    def _wait(self, condition: Callable[[], bool]) -> bool:
        assert self._process is not None
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and self._process.poll() is None:
            if condition():
                return True
            time.sleep(0.02)
        return condition() and self._process.poll() is None


def fill(template: str, values: Mapping[str, object]) -> str:
    """Replace each ``{{name}}``."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: str(values[match[1]]), template)
