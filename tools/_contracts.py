"""The import contracts, made from the dependency lists of the packages; import-linter checks them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from _workspace import META, Package

# Whoever imports one of these below the drivers performs I/O, blocks or reads a clock.
IO_MODULES = [
    "_asyncio",
    "_socket",
    "_ssl",
    "_thread",
    "asyncio",
    "concurrent",
    "multiprocessing",
    "queue",
    "sched",
    "select",
    "selectors",
    "signal",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "threading",
    "time",
]


def contracts(pieces: list[Package]) -> str:
    """Return the table ``[tool.importlinter]`` with all contracts, as TOML."""
    parts = [
        f"[tool.importlinter]\nroot_packages = {json.dumps([META])}\ninclude_external_packages = true\n",
        _contract(
            "Layers: arrows point down only", "layers", layers=layers(pieces), containers=[META], exhaustive=True
        ),
        *(text for piece in pieces for text in _protections(piece, pieces)),
        _forbidden_io(pieces),
    ]
    return "\n".join(parts)


def layers(pieces: list[Package]) -> list[str]:
    """Return the layers from the top to the bottom; pieces of one layer may not import each other."""
    levels = _levels(pieces)
    return [
        " | ".join(piece.portion for piece in pieces if levels[piece.name] == level)
        for level in sorted(set(levels.values()), reverse=True)
    ]


def _levels(pieces: list[Package]) -> dict[str, int]:
    levels: dict[str, int] = {}
    while len(levels) < len(pieces):
        ready = [piece for piece in pieces if piece.name not in levels and piece.siblings() <= levels.keys()]
        if not ready:
            stuck = {
                piece.name: sorted(piece.siblings() - levels.keys()) for piece in pieces if piece.name not in levels
            }
            raise SystemExit(f"these packages wait for packages that are not here, or for each other: {stuck}")
        levels |= {piece.name: 1 + max((levels[name] for name in piece.siblings()), default=-1) for piece in ready}
    return levels


def _protections(piece: Package, pieces: list[Package]) -> Iterable[str]:
    """Yield who may import a piece at all, and that only itself may import its private modules."""
    name = f"{META}.{piece.portion}"
    importers = [f"{META}.{other.portion}" for other in pieces if piece.name in other.siblings()]
    yield _contract(
        f"{name} is imported by nobody who does not declare it",
        "protected",
        protected_modules=[name],
        allowed_importers=importers,
    )
    yield _contract(
        f"The modules inside {name} are private",
        "protected",
        protected_modules=[f"{name}.**"],
        allowed_importers=[name],
    )


def _forbidden_io(pieces: list[Package]) -> str:
    return _contract(
        "Below the drivers nothing performs I/O or reads a clock",
        "forbidden",
        source_modules=[f"{META}.{piece.portion}" for piece in pieces if not piece.performs_io],
        forbidden_modules=IO_MODULES,
    )


def _contract(title: str, kind: str, **fields: list[str] | bool) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    return "\n".join(["[[tool.importlinter.contracts]]", f'name = "{title}"', f'type = "{kind}"', *lines, ""])
