"""
Draw the diagrams of the documentation from what they show, for light and for dark pages, or check them.

    python tools/diagrams.py --write      write docs/images/diagrams/*.svg
    python tools/diagrams.py --check      print which of them are stale and fail

The states of a connection come from the table in twoway.protocol, the packages from the metadata of each.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Iterator
from html import escape
from itertools import permutations, product
from textwrap import wrap
from typing import NamedTuple

from _workspace import ROOT, Package, closure, is_sibling, packages, portions

FOLDER = ROOT / "docs" / "images" / "diagrams"


class Theme(NamedTuple):
    """Hold the colours of a page."""

    ink: str
    quiet: str
    line: str
    fill: str
    strong: str


THEMES = {
    "light": Theme(ink="#1f2328", quiet="#57606a", line="#8c959f", fill="#f6f8fa", strong="#d3eef2"),
    "dark": Theme(ink="#e6edf3", quiet="#a8b1bb", line="#7d8590", fill="#272b3a", strong="#0b4f5c"),
}


class Drawing:
    """
    Collect the parts of a picture.

    Args:
        title: What a screen reader says.
        theme: The colours.
    """

    def __init__(self, title: str, theme: Theme) -> None:
        self.title, self.theme = title, theme
        self.parts: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, strong: bool = False) -> None:
        """Draw a box with its upper left corner at x, y."""
        fill = self.theme.strong if strong else self.theme.fill
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" '
            f'stroke="{self.theme.line}"/>'
        )

    def arrow(self, path: str, dashed: bool = False) -> None:
        """Draw an arrow along a path."""
        style = ' stroke-dasharray="4 4"' if dashed else ""
        self.parts.append(
            f'<path d="{path}" fill="none" stroke="{self.theme.line}" stroke-width="1.4" '
            f'marker-end="url(#tip)"{style}/>'
        )

    def text(self, x: float, y: float, line: str, anchor: str = "start", size: int = 14, style: str = "") -> None:
        """Write a line; an empty style is quiet text, others are bold or code."""
        looks = {"": "", "bold": ' font-weight="600"', "code": ' font-family="monospace"'}[style]
        colour = self.theme.ink if style else self.theme.quiet
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{looks}>'
            f"{escape(line)}</text>"
        )

    def render(self, width: float, height: float) -> str:
        """Return the file."""
        tip = f'<path d="M0 0 8 4 0 8z" fill="{self.theme.line}"/>'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
                f'viewBox="0 0 {width:g} {height:g}" font-family="system-ui, sans-serif" role="img">',
                f"<title>{escape(self.title)}</title>",
                f'<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7.5" refY="4" orient="auto">{tip}'
                "</marker></defs>",
                *self.parts,
                "</svg>\n",
            ]
        )


# The states: one below the other, in the order of the RFC

BOX, TALL, CENTRE, LINE = 130, 52, 195, 17
LEFT_LANE, RIGHT_LANE, CIRCLE = 105, 416, 34


def transitions() -> tuple[list[str], dict[tuple[str, str], list[str]]]:
    """Return the names of the states, and from where to where -> what triggers it."""
    (piece,) = (package for package in portions() if package.portion == "protocol")
    sys.path[:0] = [str(each.source) for each in closure(piece) if not each.is_meta]
    from twoway.protocol import TRANSITIONS, State

    edges: dict[tuple[str, str], list[str]] = {}
    for source, table in TRANSITIONS.items():
        for trigger, target in table.items():
            if target < source:
                raise SystemExit(f"{source.name} leads back to {target.name}: this tool cannot draw that")
            edges.setdefault((source.name, target.name), []).append(trigger.value)
    return [state.name for state in State], edges


def draw_states(theme: Theme) -> str:
    """Draw the states and all transitions between them."""
    names, edges = transitions()
    drawing = Drawing("States of a connection: " + "; ".join(_sentences(edges)), theme)
    tops, top = {}, 2.0
    for name, following in zip(names, [*names[1:], ""], strict=True):
        tops[name] = top
        top += TALL + LINE * (len(_lines(edges.get((name, following), []), 26)) + 2)
        top += CIRCLE if (name, name) in edges else 0
    for (source, target), triggers in edges.items():
        _draw_transition(drawing, names, tops, (source, target), triggers)
    for name, y in tops.items():
        drawing.box(CENTRE - BOX / 2, y, BOX, TALL, strong=True)
        drawing.text(CENTRE, y + TALL / 2 + 5, name, "middle", 15, "bold")
    return drawing.render(504, tops[names[-1]] + TALL + 2)


def _sentences(edges: dict[tuple[str, str], list[str]]) -> Iterator[str]:
    for (source, target), triggers in edges.items():
        yield f"{source} to {target}: {', '.join(triggers)}"


def _draw_transition(
    drawing: Drawing, names: list[str], tops: dict[str, float], edge: tuple[str, str], triggers: list[str]
) -> None:
    """Draw one arrow: straight to the next state, beside the column to one further on, in a circle to the same one."""
    source, target = edge
    start, end = tops[source], tops[target]
    right, left = CENTRE + BOX / 2, CENTRE - BOX / 2
    if source == target:
        drawing.arrow(f"M{right:g} {start + TALL * 0.58:g}h24v{TALL * 0.3:g}H{right + 1:g}")
        _write(drawing, right + 32, start + TALL * 0.65, triggers, 26)
    elif names.index(target) == names.index(source) + 1:
        drawing.arrow(f"M{CENTRE} {start + TALL:g}V{end - 1:g}")
        _write(drawing, CENTRE + 10, end - LINE * (len(_lines(triggers, 26)) + 0.2), triggers, 26)
    elif target == names[-1]:
        drawing.arrow(f"M{left:g} {start + TALL / 2:g}H{LEFT_LANE}V{end + TALL / 2:g}H{left - 1:g}")
        if source == names[0]:  # the others join it, and say the same
            _write(drawing, 2, start + TALL + 24, triggers, 13)
    else:
        drawing.arrow(f"M{right:g} {start + TALL / 2:g}H{RIGHT_LANE}V{end + TALL * 0.3:g}H{right + 1:g}")
        _write(drawing, RIGHT_LANE + 8, (start + end) / 2, triggers, 12)


def _lines(triggers: Iterable[str], width: int) -> list[str]:
    return [line for trigger in triggers for line in wrap(trigger, width, initial_indent="• ", subsequent_indent="  ")]


def _write(drawing: Drawing, x: float, y: float, triggers: list[str], width: int) -> None:
    lines = _lines(triggers, width) if len(triggers) > 1 else wrap(triggers[0], width)
    for number, line in enumerate(lines):
        indentation = 9 if line.startswith("  ") else 0
        drawing.text(x + indentation, y + number * LINE, line.strip())


# The packages: what builds on others stands above them

WIDTH, NODE, HEIGHT, GAP = 480, 148, 44, 46


def needs(package: Package) -> set[str]:
    """Return the siblings that a package always brings."""
    return {each.name for each in package.dependencies if is_sibling(each)}


def reduced() -> dict[str, set[str]]:
    """Return package -> packages right below it: what those bring by themselves is left out."""
    direct = {package.name: needs(package) for package in portions()}

    def reach(name: str) -> set[str]:
        return direct[name] | {far for near in direct[name] for far in reach(near)}

    return {
        name: {near for near in below if not any(near in reach(other) for other in below)}
        for name, below in direct.items()
    }


def optional() -> set[tuple[str, str]]:
    """Return pairs of packages where only an extra leads from one to the other, those with nothing in between."""
    found = set()
    for package in portions():
        for requirements in package.extras.values():
            found |= {(package.name, each.name) for each in requirements if is_sibling(each) and not each.extras}
    return found


def rows(below: dict[str, set[str]]) -> list[list[str]]:
    """Return the packages by height, the lowest first; what nobody needs but by an extra is below all."""

    def height(name: str) -> int:
        return max((height(near) + 1 for near in below[name]), default=0)

    extras = {target for _, target in optional()}
    levels: dict[int, list[str]] = {}
    for name in below:
        levels.setdefault(-1 if name in extras else height(name), []).append(name)
    return [levels[level] for level in sorted(levels)]


def places(below: dict[str, set[str]]) -> dict[str, tuple[float, int]]:
    """Return package -> its centre and its row from below, in the order with the least length of lines."""

    def spread(order: Iterable[tuple[str, ...]]) -> dict[str, tuple[float, int]]:
        return {
            name: (WIDTH * (2 * number + 1) / (2 * len(row)), level)
            for level, row in enumerate(order)
            for number, name in enumerate(row)
        }

    lines = [(name, near) for name, nears in below.items() for near in nears] + sorted(optional())

    def length(found: dict[str, tuple[float, int]]) -> float:
        return sum(math.pow(abs(found[one][0] - found[other][0]), 1.5) for one, other in lines)

    return min(map(spread, product(*(permutations(sorted(row)) for row in rows(below)))), key=length)


def draw_packages(theme: Theme) -> str:
    """Draw the packages and what each builds on."""
    below = reduced()
    found, by_name = places(below), {package.name: package for package in packages()}
    levels = max(level for _, level in found.values())
    sentences = (f"{name} on {', '.join(sorted(near)) or 'nothing'}" for name, near in sorted(below.items()))
    drawing = Drawing(f"What each package builds on: {'; '.join(sentences)}", theme)

    def top(level: int) -> float:
        return 2 + (levels - level) * (HEIGHT + GAP)

    edges = sorted((name, near, False) for name, nears in below.items() for near in nears)
    for name, near, dashed in [*edges, *((*pair, True) for pair in sorted(optional()))]:
        (x1, level), (x2, lower) = found[name], found[near]
        y1, y2 = top(level) + HEIGHT, top(lower) - 1
        bend = (y2 - y1) * 0.5
        drawing.arrow(f"M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}", dashed)
    for name, (x, level) in found.items():
        _draw_package(drawing, by_name[name], x, top(level))
    bottom = top(0) + HEIGHT + 22
    _draw_legend(drawing, bottom)
    return drawing.render(WIDTH, bottom + 34)


def _draw_package(drawing: Drawing, package: Package, x: float, y: float) -> None:
    drawing.box(x - NODE / 2, y, NODE, HEIGHT, strong=package.performs_io)
    others = ", ".join(each.name for each in package.dependencies if not is_sibling(each))
    drawing.text(x, y + (18 if others else 27), package.name, "middle", 13, "code")
    if others:
        drawing.text(x, y + 35, others, "middle", 11)


def _draw_legend(drawing: Drawing, y: float) -> None:
    for x, strong, line in ((2, True, "performs I/O"), (130, False, "bytes in, bytes out")):
        drawing.box(x, y, 16, 16, strong)
        drawing.text(x + 24, y + 13, line, size=12)
    drawing.arrow(f"M306 {y + 8}h28", dashed=True)
    drawing.text(342, y + 13, "only if you want it", size=12)


DIAGRAMS = {"states": draw_states, "packages": draw_packages}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Draw the diagrams of the documentation, or check them.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write the files")
    what.add_argument("--check", action="store_true", help="print which files are stale and fail")
    writing = parser.parse_args().write
    drawn = {f"{name}-{theme}.svg": draw(THEMES[theme]) for name, draw in DIAGRAMS.items() for theme in THEMES}
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = [
        name
        for name, text in drawn.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]
    for name in stale:
        if writing:
            (FOLDER / name).write_text(drawn[name], encoding="utf-8", newline="\n")
        else:
            print(f"{name} is stale: run tools/diagrams.py --write")
    print(f"diagrams: {len(drawn)} drawn, {len(stale)} {'written' if writing else 'stale'}")
    return bool(stale) and not writing


if __name__ == "__main__":
    sys.exit(main())
