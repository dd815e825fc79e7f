"""
Run the Autobahn testsuite against server and client of both drivers, and compare the result with what is committed.

    python tests/conformance/autobahn.py [--cases 1.*,12.1.*] [--sides server,client] [--drivers asyncio,threading]
                                         [--codecs pure,compiled] [--jobs 2] [--report DIR] [--write]

The testsuite needs Python 2.7, which is looked for on the path and under pyenv; it is installed from the package index
into a cache folder. Without an interpreter nothing is run, and that is said. The compiled codec is compiled from the
sources, which needs the dependency group `build` and a C compiler.

Expected is OK, or INFORMATIONAL where the testsuite only watches, for every case. ``expected-results.json`` holds the
whole result of each side, which is the same for both drivers and both codecs; any case that differs from it fails the
run. ``--write`` replaces the file. ``--jobs`` runs several of the combinations at the same time.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected-results.json"
PEERS = HERE / "echo_peers.py"
TOOLS = HERE.parents[1] / "tools"
SOURCES = [str(path) for path in sorted(HERE.parents[1].glob("packages/*/src"))]
REQUIREMENT = "autobahntestsuite==0.8.2"
SECONDS_PER_RUN = 5400
GOOD = {"OK", "INFORMATIONAL"}
SIDES = ("server", "client")
# Some of what the testsuite needs lies in namespace packages, which a plain search path does not find.
WSTEST = "import os, site; site.addsitedir(os.environ['AUTOBAHN']); from autobahntestsuite.wstest import run; run()"
DRIVERS = ("asyncio", "threading")
CODECS = ("pure", "compiled")

Results = dict[str, str]


def find_python2() -> str | None:
    """Find a Python 2.7 interpreter on the path or under pyenv."""
    found = shutil.which("python2.7")
    if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
        return found
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return next((str(path) for path in sorted(versions.glob("2.7*/bin/python2.7"))), None)


def install(python2: str, cache: Path) -> dict[str, str]:
    """Install the testsuite once; return the environment in which it runs."""
    done = cache / "installed"
    if not done.exists():
        command = [python2, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
        subprocess.run([*command, "--target", str(cache), REQUIREMENT], check=True, timeout=900)
        done.touch()  # an interrupted installation is begun again
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**environment, "AUTOBAHN": str(cache), "PYTHONUNBUFFERED": "1"}


def run_client(command: list[str], environment: dict[str, str], folder: Path) -> None:
    """Run a client to its end; say what it printed, if it fails."""
    path = folder / "client.log"
    with path.open("wb") as log:
        result = subprocess.run(
            command, cwd=folder, env=environment, check=False, timeout=SECONDS_PER_RUN, stdout=log, stderr=log
        )
    if result.returncode:
        raise SystemExit(f"the client failed:\n{path.read_text(errors='replace')[-3000:]}")


def free_port() -> int:
    """Ask the kernel for a free port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise SystemExit("the peer did not start to listen")


@contextlib.contextmanager
def running(command: list[str], port: int, environment: dict[str, str], folder: Path) -> Iterator[None]:
    """Run a server for as long as the context lasts."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(port, process)
            yield
        finally:
            process.terminate()
            process.wait(30)


@dataclass(frozen=True)
class Combination:
    """
    Name one of the things that are tested.

    Args:
        driver: One of `DRIVERS`.
        side: One of `SIDES`.
        codec: One of `CODECS`.
    """

    driver: str
    side: str
    codec: str

    def __str__(self) -> str:
        return f"{self.driver} {self.side} {self.codec}"


@dataclass(frozen=True)
class Rig:
    """
    Hold what every run needs.

    Args:
        cases: Patterns of cases.
        python2: Interpreter of the testsuite.
        testsuite: Environment variables for it.
        ours: Codec -> environment variables for our peers.
        report: Folder for reports.
    """

    cases: list[str]
    python2: str
    testsuite: dict[str, str]
    ours: dict[str, dict[str, str]]
    report: Path


def our_environments(codecs: list[str], folder: Path) -> dict[str, dict[str, str]]:
    """Return the environment variables for each codec; compile what has to be compiled."""
    environments = {"pure": {**os.environ, "TWOWAY_PURE": "1", "PYTHONPATH": os.pathsep.join(SOURCES)}}
    if "compiled" in codecs:
        sys.path.insert(0, str(TOOLS))
        importlib.import_module("speedups").compile_into(folder, [])
        path = os.pathsep.join([str(folder), *SOURCES])
        environments["compiled"] = {**os.environ, "TWOWAY_PURE": "", "PYTHONPATH": path}
    return {codec: environments[codec] for codec in codecs}


def run(which: Combination, rig: Rig) -> Results:
    """Run the cases against one side of a driver; return case -> verdict."""
    agent = f"twoway-{which.driver}-{which.codec}"
    folder = rig.report / which.driver / which.side / which.codec
    folder.mkdir(parents=True)
    port = free_port()
    testsuite = [rig.python2, "-c", WSTEST, "--spec", str(folder / "spec.json"), "--mode"]
    peers = [sys.executable, str(PEERS), which.codec, which.driver, which.side, str(port)]
    theirs, ours = rig.testsuite, rig.ours[which.codec]
    url = f"ws://127.0.0.1:{port}"
    spec: dict[str, object] = {"outdir": str(folder / "report"), "cases": rig.cases, "exclude-cases": []}
    spec |= {"options": {"failByDrop": False}, "exclude-agent-cases": {}}
    if which.side == "server":
        spec |= {"servers": [{"agent": agent, "url": url}]}
        server, client = (peers, ours), ([*testsuite, "fuzzingclient"], theirs)
    else:
        spec |= {"url": url}
        # Its web pages would want a port that all of them share.
        server, client = ([*testsuite, "fuzzingserver", "--webport", "0"], theirs), ([*peers, agent], ours)
    (folder / "spec.json").write_text(json.dumps(spec))
    with running(server[0], port, server[1], folder):
        run_client(client[0], client[1], folder)
    index = json.loads((folder / "report" / "index.json").read_text())[agent]
    return {case: _verdict(result) for case, result in index.items()}


def run_and_tell(which: Combination, rig: Rig) -> Results:
    """Run the cases, and print what it came to."""
    start = time.monotonic()
    results = run(which, rig)
    good = sum(verdict in GOOD for verdict in results.values())
    took = time.monotonic() - start
    print(f"{which}: {good} of {len(results)} cases OK or INFORMATIONAL, {took:.0f} s", flush=True)
    return results


def _verdict(result: dict[str, object]) -> str:
    """Join the verdict on the behaviour and that on the closing handshake."""
    behavior, closing = str(result["behavior"]), str(result["behaviorClose"])
    return behavior if closing in GOOD else f"{behavior}, close {closing}"


def _case_key(case: str) -> tuple[int, ...]:
    return tuple(int(part) for part in case.split("."))


def compare(name: str, results: Results, expected: Results, cases: list[str]) -> list[str]:
    """Say which cases differ from what is expected."""
    if not results:
        return [f"{name}: no case was run"]
    wanted = {case for case in expected if any(fnmatch(case, pattern) for pattern in cases)}
    differences = []
    for case in sorted(wanted | set(results), key=_case_key):
        got, want = results.get(case, "not run"), expected.get(case, "not known")
        if got != want:
            differences.append(f"{name} {case}: {got}, expected {want}")
    return differences


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Run the Autobahn testsuite.")
    parser.add_argument("--cases", default="*", help="patterns of cases, separated by commas")
    parser.add_argument("--sides", default=",".join(SIDES), help="server, client or both")
    parser.add_argument("--drivers", default=",".join(DRIVERS), help="asyncio, threading or both")
    parser.add_argument("--codecs", default=",".join(CODECS), help="pure, compiled or both")
    parser.add_argument("--jobs", type=int, default=1, help="how many combinations to run at the same time")
    parser.add_argument("--report", type=Path, help="folder for the testsuite's reports")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "autobahntestsuite-0.8.2")
    parser.add_argument("--write", action="store_true", help="replace what is expected")
    arguments = parser.parse_args()
    python2 = find_python2()
    if python2 is None:
        print("SKIPPED: NO CONFORMANCE RESULT. The Autobahn testsuite needs Python 2.7, and none was found.")
        return 0
    report = arguments.report or Path(tempfile.mkdtemp(prefix="autobahn-"))
    drivers, sides, codecs = (text.split(",") for text in (arguments.drivers, arguments.sides, arguments.codecs))
    ours = our_environments(codecs, report / "compiled-codec")
    rig = Rig(arguments.cases.split(","), python2, install(python2, arguments.cache.resolve()), ours, report)
    combinations = [Combination(*names) for names in itertools.product(drivers, sides, codecs)]
    with ThreadPoolExecutor(arguments.jobs) as executor:
        found = dict(zip(combinations, executor.map(lambda which: run_and_tell(which, rig), combinations), strict=True))
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    if arguments.write:
        for which, results in found.items():
            merged = {**expected.get(which.side, {}), **results}
            expected[which.side] = dict(sorted(merged.items(), key=lambda item: _case_key(item[0])))
        EXPECTED.write_text(json.dumps(expected, indent=1) + "\n")
    # After --write, too: what is committed for a side must be true of each driver and codec.
    differences = [
        line
        for which, results in found.items()
        for line in compare(str(which), results, expected.get(which.side, {}), rig.cases)
    ]
    print("\n".join(differences) or "as expected")
    print(f"reports: {report}")
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())
