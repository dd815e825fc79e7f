"""
Set everything up and run the demo or the tests; needs nothing but Python 3.11 or newer and a network the first time.

    python3 tools/dev.py demo [ARGUMENT ...]          runs demo/chat.py, with these arguments
    python3 tools/dev.py test [TOX ARGUMENT ...]      runs what CI runs, or the environments named with -e

All of it goes into .venv and .tox in the repository; remove both to start over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from _pythons import kept_by_pyenv

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "twoway-tools.json"
RESULTS = ROOT / ".tox" / "result.json"
MINIMUM = (3, 11)
TOOLS = ["hatch>=1.18,<2", "tox>=4.30,<5"]


def environment() -> dict[str, str]:
    """Return the variables for the tools: nothing of an outer environment, and hatch keeps its files in ``.venv``."""
    foreign = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HATCH_ENV", "HATCH_ENV_ACTIVE", "TOXENV"}
    clean = {name: value for name, value in os.environ.items() if name not in foreign}
    path = os.pathsep.join([str(SCRIPTS), os.environ.get("PATH", "")])
    defaults = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    return {**defaults, **clean, "PATH": path, "HATCH_DATA_DIR": str(VENV / "hatch")}


def say(text: str) -> None:
    """Print a step that takes a while."""
    print(f"twoway: {text}", flush=True)


def set_up() -> None:
    """Make ``.venv`` with the tools in it, unless it is there already."""
    wanted = json.dumps({"tools": TOOLS, "python": sys.version})
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    make_venv()
    say(f"installing {' and '.join(TOOLS)} (once)")
    run_quietly([str(PYTHON), "-m", "pip", "install", "--quiet", *TOOLS], "The tools could not be installed.")
    STAMP.write_text(wanted, encoding="utf-8")


def make_venv() -> None:
    """Make the virtual environment, or explain what this Python lacks."""
    try:
        import ensurepip  # noqa: F401 - only to see whether it is there
        import venv
    except ImportError:
        raise SystemExit(
            f"{sys.executable} cannot make virtual environments: its module ensurepip is missing. Install it "
            "(Debian and Ubuntu: apt install python3-venv) or use a Python from python.org, then try again."
        ) from None
    say(f"making {VENV.relative_to(ROOT)} with Python {sys.version.split()[0]}")
    venv.create(VENV, with_pip=True, clear=VENV.exists(), symlinks=os.name != "nt")


def run_quietly(command: list[str], complaint: str) -> str:
    """Run a command and return what it printed; if it fails, show that and stop."""
    result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{result.stdout}{result.stderr}\n{complaint} Is there a network?")
    return result.stdout


def demo(arguments: list[str]) -> int:
    """Install every package of the workspace as editable and run the demo; return its exit status."""
    say("installing the packages of this repository (a moment the first time)")
    # hatch installs what is missing; the arguments then go to the interpreter as they are, braces and all.
    find = [str(PYTHON), "-m", "hatch", "--quiet", "run", "python", "-c", "import sys; print(sys.executable)"]
    python = run_quietly(find, "The packages could not be installed.").strip().splitlines()[-1]
    return subprocess.run([python, "demo/chat.py", *arguments], cwd=ROOT, env=environment(), check=False).returncode


def test(arguments: list[str]) -> int:
    """Run the tests in tox, say what became of each environment, and return the exit status."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.unlink(missing_ok=True)
    pythons = [str(python) for python in kept_by_pyenv()]
    discover = ["--discover", *pythons] if pythons else []
    command = [str(PYTHON), "-m", "tox", *way(arguments), *discover, "--result-json", str(RESULTS), *arguments]
    started = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    if RESULTS.exists():
        summarise(time.monotonic() - started)
    return status


def way(arguments: list[str]) -> list[str]:
    """Return how tox runs: several environments at a time, unless somebody has chosen some and wants to watch."""
    if any(argument.startswith("-e") for argument in arguments):
        return ["run"]
    # One more than there are cores: tests of the drivers and installations wait most of the time.
    return ["run-parallel", "--parallel", str((os.cpu_count() or 1) + 1), "--parallel-no-spinner"]


def summarise(elapsed: float) -> None:
    """Print one line for each environment, and the counts in the last line."""
    environments = json.loads(RESULTS.read_text(encoding="utf-8")).get("testenvs", {})
    groups: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}
    for name, facts in environments.items():
        if result := facts.get("result"):
            groups["skipped" if result.get("skipped") else "passed" if result["success"] else "failed"].append(name)
    print(f"environments after {elapsed:.0f} s:")
    for outcome, names in groups.items():
        print(f"  {outcome}: {' '.join(names) or 'none'}")
    if groups["skipped"]:
        print("  skipped means: this machine lacks that interpreter, so nothing was tested with it")
    print(f"{len(groups['passed'])} passed, {len(groups['failed'])} failed")


def main() -> int:
    """Run the command line."""
    commands = {"demo": demo, "test": test}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        print((__doc__ or "").strip())
        return 2
    if sys.version_info < MINIMUM:
        needed = ".".join(map(str, MINIMUM))
        raise SystemExit(f"twoway needs Python {needed} or newer; this is {sys.version.split()[0]}.")
    try:
        set_up()
        return commands[sys.argv[1]](sys.argv[2:])
    except KeyboardInterrupt:
        # The program below got the same Ctrl-C and has had its say.
        return 130


if __name__ == "__main__":
    sys.exit(main())
