"""
Show, check or set the one version that all distributions share.

    python tools/versions.py show          each distribution, its version and its pins
    python tools/versions.py check         fail unless all are equal and every pin is exact
    python tools/versions.py set 1.2.3     rewrite every version and every pin
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomlkit
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from _workspace import ROOT, Package, is_sibling, packages

# The pieces that look for the compiled twins; the others ask them.
NATIVES = [ROOT / f"packages/twoway-{portion}/src/twoway/{portion}/_native.py" for portion in ("frames", "http")]
CONSTANT = "VERSION = "


def show() -> int:
    """Print each distribution with its version and its pins."""
    for package in packages():
        pins = ", ".join(str(requirement) for requirement in package.requirements() if is_sibling(requirement))
        print(f"{package.name:20} {package.version:10} {pins}")
    return 0


def problems() -> Iterator[str]:
    """Yield one sentence for each version or pin that is wrong."""
    members = packages()
    expected = members[-1].version
    for package in members:
        if package.version != expected:
            yield f"{package.name}: version is {package.version}, the meta-package has {expected}"
        yield from _wrong_pins(package, expected, {member.name for member in members})
    for path in NATIVES:
        if (constant := _constant(path)) != expected:
            yield f"{path.relative_to(ROOT)}: VERSION is {constant}, the meta-package has {expected}"


def _wrong_pins(package: Package, expected: str, names: set[str]) -> Iterator[str]:
    for requirement in filter(is_sibling, package.requirements()):
        if requirement.name not in names:
            yield f"{package.name}: {requirement} names no package of this repository"
        elif str(requirement.specifier) != f"=={expected}":
            yield f"{package.name}: {requirement} should be pinned with =={expected}"


def check() -> int:
    """Print what is wrong; return the exit status."""
    found = list(problems())
    print("\n".join(found) or "versions: all equal, all pins exact")
    return bool(found)


def set_version(version: str) -> int:
    """Rewrite every version and every pin; formatting and comments stay."""
    for package in packages():
        path = package.folder / "pyproject.toml"
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
        project: Any = document["project"]
        project["version"] = version
        for dependencies in [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]:
            _pin(dependencies, version)
        path.write_text(tomlkit.dumps(document), encoding="utf-8")
    for path in NATIVES:
        _write_constant(path, version)
    return show() or check()


def _pin(dependencies: Any, version: str) -> None:
    for index, text in enumerate(dependencies):
        requirement = Requirement(text)
        if is_sibling(requirement):
            requirement.specifier = SpecifierSet(f"=={version}")
            dependencies[index] = str(requirement)


def _constant(path: Path) -> str:
    """Return the version that a piece expects of its compiled twins; reading its own metadata is slow."""
    line = next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith(CONSTANT))
    return line.removeprefix(CONSTANT).strip('"')


def _write_constant(path: Path, version: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [f'{CONSTANT}"{version}"' if line.startswith(CONSTANT) else line for line in lines]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Show, check or set the version of all distributions.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("show")
    commands.add_parser("check")
    commands.add_parser("set").add_argument("version", type=lambda text: str(Version(text)))
    arguments = parser.parse_args()
    if arguments.command == "set":
        return set_version(arguments.version)
    return {"show": show, "check": check}[arguments.command]()


if __name__ == "__main__":
    sys.exit(main())
