"""
Write the page that maps each requirement of the RFCs to code and tests, or check it.

    python tools/rfc_map.py --write      write docs/rfc-map.md
    python tools/rfc_map.py --check      print what is wrong and fail

The requirements are data, in tools/rfc: section, level, what is required in our words, the code and the tests, or why
it does not concern us. A row that names code or a test that does not exist is an error, and so is a row without both
and without a reason, and a comment or docstring that cites a section which the RFC has not got. Nothing is imported.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from _workspace import META, ROOT, portions

PAGE = Path("docs") / "rfc-map.md"
RFCS = ("6455", "7692")
#: As the RFCs have them; in lower case, in sentences that mean it but do not shout.
LEVELS = (
    *("MUST", "MUST NOT", "SHALL", "SHALL NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED"),
    *("must", "must not", "should", "should not", "recommended"),
)

INTRODUCTION = """\
# RFC map

Each MUST, MUST NOT, SHOULD, SHOULD NOT and RECOMMENDED of RFC 6455 and RFC 7692, in the order of the text and in words
of our own; what is required of other parties, too, and sentences that say it in lower case and mean it. The steps
of an algorithm count like the sentence that introduces it. Beside each stand the code that obeys and tests that fail
when it does not, or why it does not concern a library, or how far it is left to you.

Written by `tools/rfc_map.py` from the tables in `tools/rfc`. The build fails when a row has neither code and test nor a
reason, and when what it names does not exist. `http/test_uri.py` is in the tests of twoway-http, and so on; a test of
`asyncio` stands for its twin of `threading`, too.
"""


@dataclass(frozen=True)
class Requirement:
    """
    Hold one requirement.

    Args:
        section: Number of its section.
        level: One of `LEVELS`.
        text: What is required.
        code: Dotted names of what obeys it.
        tests: ``piece/file.py::test`` in the tests of a package, or ``tests/...``.
        reason: Why there is neither, or in how far it is not obeyed; empty for none.
    """

    section: str
    level: str
    text: str
    code: Sequence[str] = ()
    tests: Sequence[str] = ()
    reason: str = ""


@dataclass(frozen=True)
class Document:
    """
    Hold one RFC.

    Args:
        number: Its number.
        title: Its title.
        sections: Number -> title of all sections, in order.
        requirements: What it requires, in order.
    """

    number: str
    title: str
    sections: dict[str, str]
    requirements: Sequence[Requirement]


def load(root: Path, number: str) -> Document:
    """Read the table of one RFC."""
    table = tomllib.loads((root / "tools" / "rfc" / f"rfc{number}.toml").read_text(encoding="utf-8"))
    return Document(number, table["title"], table["sections"], [Requirement(**row) for row in table["requirement"]])


# What names stand for


@cache
def parse(path: Path) -> ast.Module:
    """Parse a file, once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def find_module(root: Path, parts: Sequence[str]) -> Path | None:
    """Find the file of ``twoway.piece`` or of a module in it."""
    folder = root / "packages" / f"{META}-{parts[1]}" / "src" / META / parts[1]
    path = folder.joinpath(*parts[2:])
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def find_code(root: Path, name: str) -> ast.AST | None:
    """Find the definition of a dotted name, through imports and base classes."""
    parts = name.split(".")
    for size in range(len(parts) - 1, 1, -1):
        path = find_module(root, parts[:size]) if parts[0] == META else None
        if path is not None:
            return _find_member(root, path, parts[size:])
    return None


def _find_member(root: Path, path: Path, names: Sequence[str]) -> ast.AST | None:
    found = _find_in_module(root, path, names[0])
    if found is None or len(names) == 1:
        return found[1] if found else None
    return _find_attribute(root, *found, names[1])


def _find_in_module(root: Path, path: Path, name: str) -> tuple[Path, ast.AST] | None:
    for node in parse(path).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return path, node
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _assigned(node):
            return path, node
        if isinstance(node, ast.ImportFrom) and (original := _imported(node, name)) is not None:
            source = _source(root, path, node)
            return None if source is None else _find_in_module(root, source, original)
    return None


def _assigned(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _imported(node: ast.ImportFrom, name: str) -> str | None:
    return next((alias.name for alias in node.names if (alias.asname or alias.name) == name), None)


def _source(root: Path, path: Path, node: ast.ImportFrom) -> Path | None:
    if node.level:
        return path.parent.joinpath(*(node.module or "__init__").split(".")).with_suffix(".py")
    parts = (node.module or "").split(".")
    return find_module(root, parts) if parts[0] == META else None


def _find_attribute(root: Path, path: Path, owner: ast.AST, name: str) -> ast.AST | None:
    if not isinstance(owner, ast.ClassDef):
        return None
    for node in owner.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node
    for base in owner.bases:
        base = base.value if isinstance(base, ast.Subscript) else base
        found = _find_in_module(root, path, base.id) if isinstance(base, ast.Name) else None
        if found is not None and (attribute := _find_attribute(root, *found, name)) is not None:
            return attribute
    return None


def find_test(root: Path, name: str) -> bool:
    """Tell whether a test exists."""
    file, _, function = name.partition("::")
    path = root / full_path(file)
    return path.is_file() and any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function
        for node in ast.walk(parse(path))
    )


def full_path(file: str) -> str:
    """Return the path of a file with tests, from the root."""
    piece, _, rest = file.partition("/")
    return file if piece == "tests" else f"packages/{META}-{piece}/tests/{rest}"


# Where the code cites the RFCs


_CITATION = re.compile(r"RFC (\d{4})((?:[\s,;#]|and |to |item [\d.]+|§(?:\d+\.)*\d+)*)")
_SECTION = re.compile(r"§((?:\d+\.)*\d+)")


def cite(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield what comments and docstrings of the sources cite: file, RFC, section."""
    for package in portions():
        for path in sorted((root / package.code.relative_to(ROOT)).rglob("*.py")):
            for rfc, sections in _CITATION.findall(path.read_text(encoding="utf-8")):
                yield from ((path.relative_to(root).as_posix(), rfc, section) for section in _SECTION.findall(sections))


# Checking and writing


def problems(root: Path, documents: Sequence[Document], citations: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Yield one sentence for each thing that is wrong."""
    for document in documents:
        order = list(document.sections)
        places = [order.index(row.section) if row.section in order else -1 for row in document.requirements]
        if places != sorted(places):
            yield f"RFC {document.number}: the requirements are not in the order of the sections"
        for row in document.requirements:
            yield from (f"RFC {document.number} §{row.section}, {row.text!r}: {what}" for what in _faults(root, row))
            if row.section not in order:
                yield f"RFC {document.number} has no section {row.section}"
    known = {document.number: document.sections for document in documents}
    for path, rfc, section in citations:
        if rfc in known and section not in known[rfc]:
            yield f"{path}: RFC {rfc} has no section {section}"


def _faults(root: Path, row: Requirement) -> Iterator[str]:
    if row.level not in LEVELS:
        yield f"level {row.level!r} is none of {', '.join(LEVELS)}"
    if not row.reason and not (row.code and row.tests):
        yield "needs both code and tests, or a reason"
    yield from (f"there is no {name}" for name in row.code if find_code(root, name) is None)
    yield from (f"there is no test {name}" for name in row.tests if not find_test(root, name))


def render(documents: Sequence[Document]) -> str:
    """Return the page."""
    return INTRODUCTION + "".join(map(_document, documents))


def _document(document: Document) -> str:
    rows = document.requirements
    counts = {level: sum(row.level == level for row in rows) for level in LEVELS}
    shown = ", ".join(f"{count} {level}" for level, count in counts.items() if count)
    tested = sum(bool(row.tests) for row in rows)
    lines = ["", f"## RFC {document.number}: {document.title}", ""]
    lines += [f"{len(rows)} requirements: {shown}. {tested} have tests, {len(rows) - tested} a reason to have none."]
    for section, title in document.sections.items():
        if found := [row for row in rows if row.section == section]:
            url = f"https://www.rfc-editor.org/rfc/rfc{document.number}#section-{section}"
            lines += ["", f"### [§{section}]({url}) {title}", ""]
            lines += ["| level | requirement | code | tests |", "|---|---|---|---|", *map(_row, found)]
    return "\n".join([*lines, ""])


def _row(row: Requirement) -> str:
    text = row.text + (f"<br>*{row.reason}*" if row.reason else "")
    code = [f"`{name.removeprefix(f'{META}.')}`" for name in row.code]
    twins = {test.replace("asyncio/", "threading/", 1) for test in row.tests if test.startswith("asyncio/")}
    tests = [f"`{test}`" for test in row.tests if test not in twins]
    return f"| {row.level} | {text} | {'<br>'.join(code) or '–'} | {'<br>'.join(tests) or '–'} |"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write the map of the RFCs from its tables, or check it.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help=f"write {PAGE}")
    action.add_argument("--check", action="store_true", help="print what is wrong and fail")
    write: bool = parser.parse_args().write
    documents, citations = [load(ROOT, number) for number in RFCS], sorted(set(cite(ROOT)))
    found = list(problems(ROOT, documents, citations))
    text = render(documents)
    if write:
        (ROOT / PAGE).write_text(text, encoding="utf-8")
    elif not (ROOT / PAGE).is_file() or (ROOT / PAGE).read_text(encoding="utf-8") != text:
        found.append(f"{PAGE} is stale: python tools/rfc_map.py --write")
    count = sum(len(document.requirements) for document in documents)
    print("\n".join(found) or f"rfc map: {count} requirements, {len(citations)} citations")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
