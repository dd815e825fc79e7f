"""
Draw the charts of docs/performance.md from docs/performance.json, for light and for dark pages.

    python tools/bench/charts.py

It needs the dependency group `bench`.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any, NamedTuple

from report import CHARTS, FIGURES, digest, show


class Theme(NamedTuple):
    """Hold the colours of a page."""

    ink: str
    quiet: str
    ours: str
    theirs: str
    limit: str


THEMES = {
    "light": Theme(ink="#1f2328", quiet="#656d76", ours="#0b7285", theirs="#adb5bd", limit="#e2e5e9"),
    "dark": Theme(ink="#e6edf3", quiet="#9198a1", ours="#3bc9db", theirs="#6c757d", limit="#3d444d"),
}
#: Chart -> cells.
SHEETS = {
    "echo": ("echo-32x1", "echo-8x32", "echo-16x4", "echo-4x2"),
    "clients": ("request", "consume"),
    "servers": ("receive", "broadcast", "compressed", "tls"),
    "connections": ("handshake", "memory", "memory-compressed", "import"),
}
#: What most applications would use of each library; the tables have the rest.
SHOWN = (
    "C",
    "bare socket",
    "twoway",
    "twoway+aiofastnet",
    "twoway+uvloop",
    "twoway, pure",
    "twoway.threading",
    "picows",
    "picows+uvloop",
    "picows.websockets",
    "picows.websockets+uvloop",
    "aiohttp",
    "aiohttp+uvloop",
    "websockets",
    "websockets+uvloop",
    "websockets.sync",
    "websocket-client",
    "wsproto",
    "ws (Node.js)",
)
LIMITS = ("C", "bare socket")
COLUMNS, WIDTH, BAR, MARGIN = 2, 5.2, 0.24, 0.75  # inches, but for the columns


def draw(result: dict[str, Any], names: tuple[str, ...], theme: Theme) -> Any:
    """Draw one chart: a panel for each cell, the best on top."""
    pyplot = import_module("matplotlib.pyplot")
    names = tuple(name for name in names if name in result["results"])
    panels = [chosen(result, name) for name in names]
    count = -(-len(names) // COLUMNS)
    heights = [max(map(len, panels[row * COLUMNS : (row + 1) * COLUMNS])) * BAR + MARGIN for row in range(count)]
    figure, axes = pyplot.subplots(
        count,
        COLUMNS,
        figsize=(WIDTH * COLUMNS, sum(heights)),
        squeeze=False,
        height_ratios=heights,
        layout="constrained",
    )
    for place, (name, panel) in enumerate(zip(names, panels, strict=True)):
        fill_panel(axes[place // COLUMNS][place % COLUMNS], result["cells"][name], panel, theme)
    for place in range(len(names), count * COLUMNS):
        axes[place // COLUMNS][place % COLUMNS].axis("off")
    figure.patch.set_alpha(0)
    return figure


def chosen(result: dict[str, Any], name: str) -> list[tuple[str, float]]:
    """Return contestants and figures of a cell, the best last, for the axis goes upwards."""
    rows, figure = result["results"][name], result["cells"][name]["figure"]
    found = [(contestant, float(rows[contestant][figure])) for contestant in SHOWN if contestant in rows]
    return sorted(found, key=lambda pair: -pair[1])


def fill_panel(axes: Any, cell: dict[str, str], panel: list[tuple[str, float]], theme: Theme) -> None:
    """Draw the bars of one cell."""
    labels, values = [name for name, _ in panel], [value for _, value in panel]
    axes.barh(labels, values, color=[colour(name, theme) for name in labels], height=0.72)
    for row, value in enumerate(values):
        place = {"xy": (value, row), "xytext": (3, 0), "textcoords": "offset points"}
        axes.annotate(show(value), **place, va="center", ha="left", color=theme.ink, fontsize=8)
    title = f"{cell['title'][0].upper()}{cell['title'][1:]}"
    axes.set_title(f"{title}\n", loc="left", color=theme.ink, fontsize=10, fontweight="bold", pad=2)
    axes.text(0, 1.01, f"{cell['unit']} per {cell['per']}", transform=axes.transAxes, color=theme.quiet, fontsize=8)
    axes.set_xlim(0, max(values, default=1) * 1.15)
    axes.set_ylim(-0.6, len(values) - 0.4)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelsize=8, colors=theme.ink)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text().startswith("twoway") else "normal")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.patch.set_alpha(0)


def colour(name: str, theme: Theme) -> str:
    """Choose the colour of a bar."""
    return theme.limit if name in LIMITS else theme.ours if name.startswith("twoway") else theme.theirs


def main() -> int:
    """Draw all of them."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("svg")
    # The same figures give the same files; text stays text, and takes the font of the page.
    settings = {"svg.hashsalt": "twoway", "svg.fonttype": "none", "font.family": "sans-serif"}
    matplotlib.rcParams.update(settings)
    result = json.loads(FIGURES.read_text(encoding="utf-8"))
    CHARTS.mkdir(parents=True, exist_ok=True)
    for sheet, names in SHEETS.items():
        for name, theme in THEMES.items():
            figure = draw(result, names, theme)
            metadata = {"Date": None, "Creator": None, "Description": f"figures {digest()}"}
            figure.savefig(CHARTS / f"{sheet}-{name}.svg", metadata=metadata)
            import_module("matplotlib.pyplot").close(figure)
    print(f"charts: {len(SHEETS) * len(THEMES)} drawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
