"""
Write the page of features, and the README's table, from the marks of the tests that prove them, or check it.

    python tools/feature_matrix.py --write      write docs/features.md and the table in README.md
    python tools/feature_matrix.py --check      print what is wrong and fail

A test proves a row with ``@pytest.mark.feature("send a message")``. The column is that of its package: a driver's own,
or Sans-I/O for what is below; more arguments name columns instead. Nothing is executed, the files are only read.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from _workspace import ROOT, Package, packages

PAGE = Path("docs") / "features.md"
README = Path("README.md")
BEGIN, END = "<!-- features: tools/feature_matrix.py -->", "<!-- /features -->"
ASYNCIO, SANS_IO, THREADING = COLUMNS = ("asyncio", "Sans-I/O", "threading")

#: What stands in a cell without tests: the feature makes no sense there.
NO_SENSE = "–"


@dataclass(frozen=True)
class Row:
    """
    Hold one feature, and where it is claimed.

    Args:
        name: What tests say in their mark.
        asyncio: Empty for a claim, which needs a test; else what stands in the cell.
        sans_io: The same for the Sans-I/O pieces.
        threading: The same for threads.
    """

    name: str
    asyncio: str = ""
    sans_io: str = ""
    threading: str = ""

    def excuse(self, column: str) -> str:
        """Return what stands in a cell that needs no test; empty for a claim."""
        return {ASYNCIO: self.asyncio, SANS_IO: self.sans_io, THREADING: self.threading}[column]


def _io(name: str) -> Row:
    """Return a feature that needs I/O, so that only drivers can have it."""
    return Row(name, sans_io=NO_SENSE)


SECTIONS = {
    "Clients and servers": [
        Row("opening handshake"),
        Row("send a message"),
        Row("receive a message"),
        _io("iterate over messages"),
        _io("receive all messages that wait"),
        Row("send a message in fragments"),
        Row("receive a fragmented message as one"),
        Row("receive a message frame by frame"),
        Row("force text or binary on send"),
        _io("force str or bytes on receive"),
        Row("send pings"),
        Row("answer pings"),
        Row("send pongs"),
        Row("keepalive: pings in a quiet time"),
        Row("heartbeat: a dead peer is noticed"),
        Row("measure latency"),
        Row("closing handshake"),
        Row("close codes and reasons of both sides, and who was first"),
        Row("tell why a connection ended"),
        Row("compression: permessage-deflate"),
        Row("tune the memory of compression"),
        Row("choose compression for each message"),
        Row("negotiate extensions"),
        Row("extensions of one's own"),
        Row("negotiate a subprotocol"),
        Row("limits against hostile peers"),
        Row("backpressure in both directions"),
        Row("time limit for the opening handshake"),
        Row("time limit for the closing handshake"),
        _io("no call outlives its timeout"),
        _io("cancel any call without loss"),
        Row("logging"),
    ],
    "Servers": [
        _io("serve on TCP"),
        _io("serve on a Unix socket"),
        _io("serve on an existing socket"),
        _io("serve over TLS"),
        _io("close the server at the end of its context"),
        _io("close the connection when its handler returns"),
        _io("graceful shutdown"),
        _io("limit connections, also for each address"),
        _io("share a port between processes"),
        Row("check the Origin header"),
        Row("check the Host header, against DNS rebinding"),
        Row("choose the subprotocol in a callback"),
        Row("set the Server header"),
        Row("alter request and response of the handshake"),
        Row("answer with an HTTP response"),
        Row("HTTP Basic authentication"),
        Row("HTTP Digest authentication"),
        _io("a handler for each path"),
        Row("broadcast"),
        _io("skip or close slow receivers of a broadcast"),
    ],
    "Clients": [
        _io("connect over TCP"),
        _io("connect over a Unix socket"),
        _io("connect over an existing socket"),
        _io("connect over TLS"),
        _io("close the connection at the end of its context"),
        _io("reconnect automatically"),
        _io("one handshake at a time with each address"),
        Row("set the Origin and User-Agent headers"),
        Row("alter the request, see the response"),
        Row("internationalised addresses"),
        Row("HTTP Basic, Digest and Bearer authentication"),
        Row("follow redirects"),
        Row("keep cookies"),
        Row("HTTP and HTTPS proxies"),
        _io("SOCKS proxies"),
    ],
}

INTRODUCTION = """\
# Features

Written by `tools/feature_matrix.py` from the marks of the tests; a claim without a test fails the build.
A number says how many test functions prove the row, many of them with several sets of parameters.
– is what makes no sense without I/O.
"""


@dataclass(frozen=True, order=True)
class Mark:
    """Hold one statement of a test: that it proves a row in a column."""

    row: str
    column: str
    path: str
    test: str

    def __str__(self) -> str:
        """Return where it stands, for messages."""
        return f"{self.path}::{self.test}"


def collect(root: Path) -> list[Mark]:
    """Return the marks of all tests in a tree with ``packages`` and ``tests``, sorted."""
    columns = {package.name: _column(package) for package in packages()}
    marks: list[Mark] = []
    for path in sorted([*root.glob("packages/*/tests/**/test_*.py"), *root.glob("tests/**/test_*.py")]):
        relative = path.relative_to(root)
        default = columns.get(relative.parts[1], "") if relative.parts[0] == "packages" else ""
        for test, row, named in _marks(ast.parse(path.read_text(encoding="utf-8"))):
            marks += [Mark(row, column, relative.as_posix(), test) for column in named or [default]]
    return sorted(marks)


def _column(package: Package) -> str:
    return package.portion if package.performs_io else SANS_IO


def _marks(module: ast.Module) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield the name of a test, the row that it proves and the columns that it names."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.feature":
                    row, *columns = (str(ast.literal_eval(argument)) for argument in decorator.args)
                    yield node.name, row, columns


def problems(marks: Sequence[Mark]) -> Iterator[str]:
    """Yield one sentence for each claim without a test, and for each mark that fits no claim."""
    rows = {row.name: row for section in SECTIONS.values() for row in section}
    proved = {(mark.row, mark.column) for mark in marks}
    for row in rows.values():
        for column in COLUMNS:
            if not row.excuse(column) and (row.name, column) not in proved:
                yield f"{row.name!r} is claimed for {column}, but no test proves it"
    for mark in marks:
        if mark.row not in rows:
            yield f"{mark}: there is no feature {mark.row!r}"
        elif mark.column not in COLUMNS:
            yield f"{mark}: {mark.row!r} needs one of the columns {', '.join(COLUMNS)}, not {mark.column!r}"
        elif excuse := rows[mark.row].excuse(mark.column):
            yield f"{mark}: {mark.row!r} is {excuse!r} for {mark.column}; claim it, or mark no test"


def render(marks: Sequence[Mark]) -> str:
    """Return the page."""
    return INTRODUCTION + "".join(_section(title, rows, marks) for title, rows in SECTIONS.items())


def render_readme(text: str, marks: Sequence[Mark]) -> str:
    """Return the README with its table renewed: what is proved, without numbers."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    lines = [f"| feature | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    for rows in SECTIONS.values():
        for row in rows:
            cells = (_cell(row, column, marks) for column in COLUMNS)
            lines.append(f"| {row.name} | {' | '.join('✓' if cell.isdigit() else cell for cell in cells)} |")
    return "\n".join([f"{head}{BEGIN}", *lines, f"{END}{tail}"])


def _section(title: str, rows: Sequence[Row], marks: Sequence[Mark]) -> str:
    lines = ["", f"## {title}", "", f"| feature | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    lines += [f"| {row.name} | {' | '.join(_cell(row, column, marks) for column in COLUMNS)} |" for row in rows]
    lines += ["", "<details>", f"<summary>The tests of this table: {title.lower()}</summary>", "<dl>"]
    for row in rows:
        lines += _tests([mark for mark in marks if mark.row == row.name])
    return "\n".join([*lines, "</dl>", "</details>", ""])


def _cell(row: Row, column: str, marks: Sequence[Mark]) -> str:
    count = sum(mark.row == row.name and mark.column == column for mark in marks)
    return str(count) if count else row.excuse(column) or "no test"


def _tests(marks: Sequence[Mark]) -> Iterator[str]:
    if marks:
        yield f"<dt>{escape(marks[0].row)}</dt>"
    for mark in marks:
        yield f"<dd>{mark.column}: <code>{escape(mark.path)}</code> {escape(mark.test.removeprefix('test_'))}</dd>"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write the page of features from the marks of the tests, or check it.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help=f"write {PAGE} and the table in {README}")
    action.add_argument("--check", action="store_true", help="print what is wrong and fail")
    write: bool = parser.parse_args().write
    marks = collect(ROOT)
    found = list(problems(marks))
    readme = (ROOT / README).read_text(encoding="utf-8")
    for path, text in ((PAGE, render(marks)), (README, render_readme(readme, marks))):
        if write:
            (ROOT / path).write_text(text, encoding="utf-8")
        elif not (ROOT / path).is_file() or (ROOT / path).read_text(encoding="utf-8") != text:
            found.append(f"{path} is stale: python tools/feature_matrix.py --write")
    print("\n".join(found) or f"features: {len(set(marks))} marks, every claim has a test")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
