"""
Check what is in the built distributions, file by file and field by field.

    python tools/check_dists.py [FOLDER]          (default: dist)
"""

from __future__ import annotations

import argparse
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement

from _workspace import META, ROOT, Package, is_sibling, packages

FIELDS = {
    "Metadata-Version": "2.4",
    "License-Expression": "MIT",
    "License-File": "LICENSE",
    "Requires-Python": ">=3.11",
}

COMPILED = {".so", ".pyd"}
SOURCES = {".c", ".h"}


def problems(folder: Path) -> Iterator[str]:
    """Yield one sentence for each thing that is wrong with the distributions in a folder."""
    for package in packages():
        stem = f"{package.name.replace('-', '_')}-{package.version}"
        wheels, sdist = sorted(folder.glob(f"{stem}-*.whl")), folder / f"{stem}.tar.gz"
        if not wheels or not sdist.is_file():
            yield f"{package.name}: {folder} lacks its wheel or its sdist"
            continue
        for wheel in wheels:
            yield from (f"{wheel.name}: {problem}" for problem in _wheel(package, wheel, stem))
        yield from (f"{sdist.name}: {problem}" for problem in _sdist(package, sdist, stem))


def _wheel(package: Package, path: Path, stem: str) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    info = f"{stem}.dist-info/"
    own = f"{META}/{package.portion}/"
    strangers = [name for name in files if not name.startswith((info, own) if not package.is_meta else info)]
    if strangers:
        yield f"holds what belongs to nobody or to another piece: {strangers}"
    if not package.is_meta and not {f"{own}__init__.py", f"{own}py.typed"} <= files.keys():
        yield "lacks __init__.py or py.typed"
    if files.get(f"{info}licenses/LICENSE") != (ROOT / "LICENSE").read_bytes():
        yield "has no LICENSE, or one that differs from the true copy"
    yield from _tag(package, path, {Path(name).suffix for name in files})
    yield from _metadata(package, files.get(f"{info}METADATA", b""))


def _tag(package: Package, path: Path, suffixes: set[str]) -> Iterator[str]:
    """Check that a wheel is tagged for what is in it; where nothing could be compiled it is an empty shell."""
    has_code = bool(suffixes & COMPILED)
    if has_code and not package.is_compiled:
        yield "holds compiled code without a build hook"
    if has_code is path.name.endswith("-py3-none-any.whl"):
        yield "is tagged py3-none-any" if has_code else "is not tagged py3-none-any"
    if sources := suffixes & SOURCES:
        yield f"holds sources of compiled code: {sorted(sources)}"


def _sdist(package: Package, path: Path, stem: str) -> Iterator[str]:
    with tarfile.open(path) as archive:
        names = {member.name.removeprefix(f"{stem}/") for member in archive.getmembers() if member.isfile()}
        reader = archive.extractfile(f"{stem}/PKG-INFO") if "PKG-INFO" in names else None
        metadata = reader.read() if reader else b""
    expected = {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"}
    for folder in () if package.is_meta else ("src", "tests", "c"):
        expected |= _files(package.folder, folder)
    if package.is_compiled:
        expected.add("hatch_build.py")
    if missing := sorted(expected - names):
        yield f"lacks {missing}"
    if strangers := sorted(name for name in names if _is_litter(Path(name))):
        yield f"holds what a checkout or a test run left there: {strangers}"
    if not package.is_meta and not any(name.startswith("tests/test_") for name in names):
        yield "holds no tests"
    if f"src/{META}/__init__.py" in names:
        yield f"holds a stray {META}/__init__.py"
    yield from _metadata(package, metadata)


def _is_litter(path: Path) -> bool:
    return path.suffix in {".pyc", *COMPILED} or any(
        part.startswith(".") or part == "__pycache__" for part in path.parts
    )


def _files(root: Path, folder: str) -> set[str]:
    suffixes = {".py", ".pyi", ".typed", *SOURCES}
    return {path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if path.suffix in suffixes}


def _metadata(package: Package, raw: bytes) -> Iterator[str]:
    metadata = Parser().parsestr(raw.decode("utf-8"))
    for field, value in {"Name": package.name, "Version": package.version, **FIELDS}.items():
        if metadata.get(field) != value:
            yield f"{field} is {metadata.get(field)!r}, not {value!r}"
    if not metadata.get_payload():
        yield "has no description"
    yield from _requirements(package, metadata)


def _requirements(package: Package, metadata: Message) -> Iterator[str]:
    stated = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    if {each.name for each in stated} != {each.name for each in package.requirements()}:
        yield f"requires {sorted(each.name for each in stated)}, its pyproject.toml says otherwise"
    loose = [str(each) for each in stated if is_sibling(each) and str(each.specifier) != f"=={package.version}"]
    if loose:
        yield f"does not pin its siblings exactly: {loose}"


def main() -> int:
    """Print what is wrong; return the exit status."""
    parser = argparse.ArgumentParser(description="Check the contents of the built distributions.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    found = list(problems(parser.parse_args().folder.resolve()))
    print("\n".join(found) or f"distributions: {len(packages())} sdists and their wheels, all in order")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
