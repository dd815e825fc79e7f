"""
Run the Autobahn testsuite against server and client of both drivers, and compare the result with what is committed.

    python tests/conformance/autobahn.py [--cases 1.*,12.1.*] [--sides server,client] [--drivers asyncio,threading]
                                         [--report DIR] [--write]

The testsuite needs Python 2.7, which is looked for on the path and under pyenv; it is installed from the package index
into a cache folder. Without an interpreter nothing is run, and that is said.

Expected is OK, or INFORMATIONAL where the testsuite only watches, for every case. ``expected-results.json`` holds the
whole result; any case that differs from it fails the run. ``--write`` replaces the file.
"""

from __future__ import annotations

import argparse
import contextlib
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
from fnmatch import fnmatch
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected-results.json"
PEERS = HERE / "echo_peers.py"
SOURCES = os.pathsep.join(str(path) for path in sorted(HERE.parents[1].glob("packages/*/src")))
REQUIREMENT = "autobahntestsuite==0.8.2"
SECONDS_PER_SIDE = 1500
GOOD = {"OK", "INFORMATIONAL"}
SIDES = ("server", "client")
# Some of what the testsuite needs lies in namespace packages, which a plain search path does not find.
WSTEST = "import os, site; site.addsitedir(os.environ['AUTOBAHN']); from autobahntestsuite.wstest import run; run()"
DRIVERS = ("asyncio", "threading")

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


def run_side(
    driver: str, side: str, cases: list[str], python2: str, environment: dict[str, str], folder: Path
) -> Results:
    """Run the cases against one side of a driver; return case -> verdict."""
    agent = f"twoway-{driver}"
    folder.mkdir(parents=True)
    port = free_port()
    testsuite = [python2, "-c", WSTEST, "--spec", str(folder / "spec.json"), "--mode"]
    peers = [sys.executable, str(PEERS), driver, side, str(port)]
    ours = {**os.environ, "PYTHONPATH": SOURCES}
    url = f"ws://127.0.0.1:{port}"
    spec: dict[str, object] = {"outdir": str(folder / "report"), "cases": cases, "exclude-cases": []}
    if side == "server":
        servers = [{"agent": agent, "url": url}]
        spec |= {"servers": servers, "options": {"failByDrop": False}, "exclude-agent-cases": {}}
        server, client = (peers, ours), ([*testsuite, "fuzzingclient"], environment)
    else:
        spec |= {"url": url, "options": {"failByDrop": False}, "exclude-agent-cases": {}}
        server, client = ([*testsuite, "fuzzingserver"], environment), ([*peers, agent], ours)
    (folder / "spec.json").write_text(json.dumps(spec))
    with running(server[0], port, server[1], folder), (folder / "client.log").open("wb") as log:
        subprocess.run(
            client[0], cwd=folder, env=client[1], check=True, timeout=SECONDS_PER_SIDE, stdout=log, stderr=log
        )
    index = json.loads((folder / "report" / "index.json").read_text())[agent]
    return {case: _verdict(result) for case, result in index.items()}


def _verdict(result: dict[str, object]) -> str:
    """Join the verdict on the behaviour and that on the closing handshake."""
    behavior, closing = str(result["behavior"]), str(result["behaviorClose"])
    return behavior if closing in GOOD else f"{behavior}, close {closing}"


def _case_key(case: str) -> tuple[int, ...]:
    return tuple(int(part) for part in case.split("."))


def compare(side: str, results: Results, expected: Results, cases: list[str]) -> list[str]:
    """Say which cases differ from what is expected."""
    wanted = {case for case in expected if any(fnmatch(case, pattern) for pattern in cases)}
    differences = []
    for case in sorted(wanted | set(results), key=_case_key):
        got, want = results.get(case, "not run"), expected.get(case, "not known")
        if got != want:
            differences.append(f"{side} {case}: {got}, expected {want}")
    return differences


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Run the Autobahn testsuite.")
    parser.add_argument("--cases", default="*", help="patterns of cases, separated by commas")
    parser.add_argument("--sides", default=",".join(SIDES), help="server, client or both")
    parser.add_argument("--drivers", default=",".join(DRIVERS), help="asyncio, threading or both")
    parser.add_argument("--report", type=Path, help="folder for the testsuite's reports")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "autobahntestsuite-0.8.2")
    parser.add_argument("--write", action="store_true", help="replace what is expected")
    arguments = parser.parse_args()
    python2 = find_python2()
    if python2 is None:
        print("SKIPPED: NO CONFORMANCE RESULT. The Autobahn testsuite needs Python 2.7, and none was found.")
        return 0
    environment = install(python2, arguments.cache.resolve())
    report = arguments.report or Path(tempfile.mkdtemp(prefix="autobahn-"))
    cases = arguments.cases.split(",")
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    differences = []
    for driver, side in itertools.product(arguments.drivers.split(","), arguments.sides.split(",")):
        start = time.monotonic()
        results = run_side(driver, side, cases, python2, environment, report / driver / side)
        good = sum(verdict in GOOD for verdict in results.values())
        took = time.monotonic() - start
        print(f"{driver} {side}: {good} of {len(results)} cases OK or INFORMATIONAL, {took:.0f} s", flush=True)
        if not results:
            differences.append(f"{driver} {side}: no case was run")
        if arguments.write:
            expected[side] = {**expected.get(side, {}), **dict(sorted(results.items(), key=lambda i: _case_key(i[0])))}
        differences += compare(f"{driver} {side}", results, expected.get(side, {}), cases)
    if arguments.write:
        EXPECTED.write_text(json.dumps(expected, indent=1) + "\n")
    print("\n".join(differences) or "as expected")
    print(f"reports: {report}")
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())
