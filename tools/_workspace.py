"""What the tools know about the repository: the packages, read from their folders and never listed by hand."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
META = "twoway"


@dataclass(frozen=True, eq=False)
class Package:
    """
    Hold one distribution of the workspace.

    Args:
        folder: The folder with its ``pyproject.toml``, absolute.
    """

    folder: Path

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """Return the parsed ``pyproject.toml``; shared, not to be changed."""
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))

    @property
    def name(self) -> str:
        """Return the name of the distribution, which is the name of its folder too."""
        return self.folder.name

    @property
    def version(self) -> str:
        """Return the version that the distribution states."""
        return str(self.pyproject["project"]["version"])

    @property
    def is_meta(self) -> bool:
        """Return whether this is the meta-package, which has no code."""
        return self.name == META

    @property
    def portion(self) -> str:
        """Return the last part of the import name: ``frames`` of ``twoway.frames``."""
        return self.name.removeprefix(f"{META}-")

    @property
    def source(self) -> Path:
        """Return the folder that goes on the import path."""
        return self.folder / "src"

    @property
    def code(self) -> Path:
        """Return the folder of the portion itself."""
        return self.source / META / self.portion

    @property
    def performs_io(self) -> bool:
        """Return whether ``[tool.twoway] performs-io`` says that this is a driver or stands above one."""
        return bool(self.settings.get("performs-io", False))

    @property
    def is_compiled(self) -> bool:
        """Return whether a build hook compiles something: the only kind of package with C sources."""
        return (self.folder / "hatch_build.py").exists()

    @property
    def settings(self) -> dict[str, Any]:
        """Return the table ``[tool.twoway]``; empty where there is none."""
        settings: dict[str, Any] = self.pyproject.get("tool", {}).get("twoway", {})
        return settings

    @property
    def dependencies(self) -> list[Requirement]:
        """Return what an installation without extras needs, siblings and third parties."""
        return [Requirement(text) for text in self.pyproject["project"].get("dependencies", [])]

    @property
    def extras(self) -> dict[str, list[Requirement]]:
        """Return what each extra adds."""
        table = self.pyproject["project"].get("optional-dependencies", {})
        return {extra: [Requirement(text) for text in texts] for extra, texts in table.items()}

    def requirements(self) -> Iterator[Requirement]:
        """Yield every requirement, those of the extras included."""
        yield from self.dependencies
        for requirements in self.extras.values():
            yield from requirements

    def siblings(self) -> set[str]:
        """Return the names of the sibling distributions that this one may import, extras included."""
        return {requirement.name for requirement in self.requirements() if is_sibling(requirement)} - {self.name}


def is_sibling(requirement: Requirement) -> bool:
    """Return whether a requirement names a distribution of this workspace."""
    return requirement.name == META or requirement.name.startswith(f"{META}-")


def packages() -> list[Package]:
    """Return every distribution, by name; the meta-package is the last."""
    folders = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
    return sorted(map(Package, folders), key=lambda package: (package.is_meta, package.name))


def portions() -> list[Package]:
    """Return the distributions that hold code."""
    return [package for package in packages() if not package.is_meta]


def third_party() -> list[str]:
    """Return everything from outside of this workspace that a distribution or one of its extras asks for, sorted."""
    return sorted({str(each) for package in packages() for each in package.requirements() if not is_sibling(each)})


def closure(package: Package) -> list[Package]:
    """Return a distribution and all siblings that it reaches, extras included, by name."""
    by_name = {each.name: each for each in packages()}
    names, waiting = {package.name}, [package.name]
    while waiting:
        new = by_name[waiting.pop()].siblings() - names
        names |= new
        waiting.extend(new)
    return [each for each in packages() if each.name in names]


def python_path(members: list[Package]) -> str:
    """Return a value for ``PYTHONPATH`` with the source folders of these distributions."""
    return os.pathsep.join(str(member.source) for member in members if not member.is_meta)
