"""
Write what ``expected-results.json`` says into the page of the documentation, section by section.

    python tests/conformance/summary.py [--check]

``--check`` writes nothing and fails if the page says something else.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected-results.json"
PAGE = HERE.parents[1] / "docs" / "explanation" / "conformance.md"
BEGIN, END = "<!-- results -->\n", "<!-- /results -->\n"

#: Section of the testsuite -> what it is about.
SECTIONS = {
    1: "messages of every length",
    2: "pings and pongs",
    3: "reserved bits",
    4: "reserved opcodes",
    5: "fragments",
    6: "UTF-8",
    7: "closing handshake and close codes",
    9: "large messages, many frames",
    10: "fragments of every size",
    12: "compression: sizes of messages",
    13: "compression: parameters",
}


def render(expected: Mapping[str, Mapping[str, str]]) -> str:
    """Return a table with a row for each section, and the numbers of cases with each verdict for each side."""
    lines = ["| section | about | cases | server | client |", "|---|---|---|---|---|"]
    for section, about in SECTIONS.items():
        sides = [count(expected[side], section) for side in ("server", "client")]
        verdicts = " | ".join(show(side) for side in sides)
        lines.append(f"| {section} | {about} | {max(side.total() for side in sides)} | {verdicts} |")
    sides = [Counter(expected[side].values()) for side in ("server", "client")]
    lines.append(f"| all | | {max(side.total() for side in sides)} | {' | '.join(show(side) for side in sides)} |")
    return "".join(f"{line}\n" for line in lines)


def count(results: Mapping[str, str], section: int) -> Counter[str]:
    """Count the verdicts in a section."""
    return Counter(verdict for case, verdict in results.items() if case.startswith(f"{section}."))


def show(verdicts: Counter[str]) -> str:
    """Say how many cases there are with each verdict, the most frequent one first."""
    return ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())


def rewrite(page: str, expected: Mapping[str, Mapping[str, str]]) -> str:
    """Put the table between its marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}{render(expected)}{END}{rest.split(END)[1]}"


def main() -> int:
    """Run the command line."""
    page = PAGE.read_text(encoding="utf-8")
    new = rewrite(page, json.loads(EXPECTED.read_text(encoding="utf-8")))
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    print("conformance: the page is up to date" if page == new else f"{PAGE} is not up to date: run {sys.argv[0]}")
    return page != new


if __name__ == "__main__":
    sys.exit(main())
