"""What is needed before anything can be measured: load generator, environment with the peers, compiled twoway."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from _machine import find_versions
from _payloads import write_compressed

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PEERS = HERE / "peers"
COMPRESSED_SIZE = 500  # of a message before it is compressed; bytes
OPENSSL = ["-DWITH_TLS", "-lssl", "-lcrypto"]
CERTIFICATE = """
import sys, trustme
trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(sys.argv[1])
"""


@dataclass(frozen=True)
class Tools:
    """
    Hold what the measurements use.

    Args:
        load: The load generator.
        tls: Whether it knows TLS.
        python: The interpreter of the peers.
        node: That of JavaScript; None without it, or without ws.
        environment: Variables for all of them.
        versions: Of what there is, by name.
        certificate: Key and certificate in PEM; None without TLS.
        messages: What to replay in compressed connections.
    """

    load: Path
    tls: bool
    python: Path
    node: Path | None
    environment: dict[str, str]
    versions: dict[str, str]
    certificate: Path | None
    messages: Path


def prepare(folder: Path, *, python: str, install: bool) -> Tools:
    """
    Make what is missing.

    Args:
        folder: Where it is kept for the next time.
        python: The interpreter that the environment of the peers is made from.
        install: Whether to install the peers and to compile twoway; else the interpreter is used as it is.

    Returns:
        Everything to measure with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A folder that says so itself need not be in anybody's .gitignore.
    (folder / ".gitignore").write_text("*\n", encoding="ascii")
    load, tls = build_load(folder)
    paths = [str(path) for path in sorted((ROOT / "packages").glob("*/src"))]
    interpreter, node = Path(python), None
    if install:
        interpreter, node = install_peers(folder, python), install_node(folder)
        compile_speedups(interpreter, folder / "speedups")
        paths.insert(0, str(folder / "speedups"))
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and not install]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*inherited, *paths])}
    environment.update(PYTHONDONTWRITEBYTECODE="", TWOWAY_PURE="", TWOWAY_BENCH_NODE=str(folder / "node"))
    versions = find_versions(interpreter, environment)
    if node:
        versions |= node_versions(node, folder)
    certificate = make_certificate(interpreter, folder) if tls else None
    messages = folder / "messages"
    write_compressed(messages, COMPRESSED_SIZE)
    return Tools(load, certificate is not None, interpreter, node, environment, versions, certificate, messages)


def build_load(folder: Path) -> tuple[Path, bool]:
    """Compile the load generator; tell whether it knows TLS, for which the headers of OpenSSL are needed."""
    program = folder / "load"
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("the load generator needs a C compiler")
    command = [compiler, "-O2", "-o", str(program), str(HERE / "load.c")]
    if subprocess.run([*command, *OPENSSL], check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return program, True
    subprocess.run(command, check=True)
    return program, False


def install_peers(folder: Path, python: str) -> Path:
    """Make a virtual environment with the peers; return its interpreter."""
    interpreter, requirements = folder / "venv" / "bin" / "python", PEERS / "requirements.txt"
    done = folder / "venv" / "installed.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        print("installing the peers ...", file=sys.stderr, flush=True)
        subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
        pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        done.write_text(wanted, encoding="utf-8")
    return interpreter


def install_node(folder: Path) -> Path | None:
    """Install ws where there are Node.js and npm; return Node.js."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    home = folder / "node"
    if not (home / "node_modules" / "ws").exists():
        home.mkdir(exist_ok=True)
        shutil.copy(PEERS / "package.json", home)
        command = [npm, "install", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(command, cwd=home, check=False).returncode:
            return None
    return Path(node)


def node_versions(node: Path, folder: Path) -> dict[str, str]:
    """Give the versions of Node.js and ws."""
    ws = json.loads((folder / "node" / "node_modules" / "ws" / "package.json").read_text(encoding="utf-8"))
    version = subprocess.run([str(node), "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return {"Node.js": version.removeprefix("v"), "ws": ws["version"]}


def compile_speedups(python: Path, folder: Path) -> None:
    """Compile twoway-speedups as it is now."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [str(python), str(ROOT / "tools" / "speedups.py"), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make_certificate(python: Path, folder: Path) -> Path | None:
    """Make a certificate that nobody has to trust; None where trustme is missing."""
    file = folder / "certificate.pem"
    if not file.exists():
        command = [str(python), "-c", CERTIFICATE, str(file)]
        if subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode:
            return None
    return file
