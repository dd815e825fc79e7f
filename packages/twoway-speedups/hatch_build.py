"""
Compile `twoway.speedups._frames` into the wheel, or make an empty shell that says why it could not be compiled.

``TWOWAY_REQUIRE_SPEEDUPS=1`` makes that an error.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "twoway/speedups"
REMEDY = """
twoway works without it, only slower. To compile it, install a C compiler and the headers of Python (Debian and Ubuntu:
apt install gcc python3-dev), then run: pip install --no-cache-dir --force-reinstall twoway-speedups
"""
# MSVC optimizes by default. Vector instructions come from plain loops, for which gcc wants -O3.
FLAGS = {"msvc": ["/std:c11"], "unix": ["-std=c11", "-O3", "-g0", "-fvisibility=hidden"]}


def compile_module(root: Path, folder: Path, flags: list[str]) -> Path:
    """
    Compile the module.

    Args:
        root: Folder of the package, with ``c`` in it.
        folder: Where the module is put, without folders for its package; it must exist.
        flags: What the compiler and the linker get, after our own.

    Returns:
        The file.

    Raises:
        RuntimeError: There is no compiler, or it failed.
    """
    if platform.python_implementation() != "CPython":
        raise RuntimeError(f"it is written for CPython, and this is {platform.python_implementation()}")
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext
    from setuptools.errors import BaseError, CCompilerError

    class Build(build_ext):
        def build_extensions(self) -> None:
            for extension in self.extensions:
                extension.extra_compile_args = [*FLAGS.get(self.compiler.compiler_type, []), *flags]
                extension.extra_link_args = flags
            super().build_extensions()

    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    sources = [str(path) for path in sorted((root / "c").glob("*.c"))]
    extension = Extension("_frames", sources, define_macros=[("TWOWAY_VERSION", version)])
    command = Build(Distribution({"name": "twoway-speedups", "ext_modules": [extension]}))
    with tempfile.TemporaryDirectory(prefix="twoway-speedups-") as temporary:
        command.build_lib, command.build_temp = str(folder), temporary
        command.ensure_finalized()
        try:
            command.run()
        except (BaseError, CCompilerError, OSError) as exc:
            raise RuntimeError(f"the C compiler failed: {exc}") from exc
    return folder / command.get_ext_filename("_frames")


class CustomBuildHook(BuildHookInterface[Any]):
    """Add the compiled module to a wheel; to the sources themselves when they are installed as editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Do the work before hatchling collects the files."""
        root = Path(self.root)
        editable = version == "editable"
        self._temporary = tempfile.TemporaryDirectory(prefix="twoway-speedups-")
        folder = root / "src" / PACKAGE if editable else Path(self._temporary.name)
        try:
            module = compile_module(root, folder, [])
        except RuntimeError as exc:
            self._make_shell(str(exc), Path(self._temporary.name) / "why_not.txt", build_data)
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if not editable:
            build_data["force_include"][str(module)] = f"{PACKAGE}/{module.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clean up when the wheel is written."""
        self._temporary.cleanup()

    def _make_shell(self, why: str, note: Path, build_data: dict[str, Any]) -> None:
        text = f"twoway-speedups was not compiled for Python {platform.python_version()}: {why}."
        if os.environ.get("TWOWAY_REQUIRE_SPEEDUPS") == "1":
            raise RuntimeError(f"{text} TWOWAY_REQUIRE_SPEEDUPS=1 makes that an error.")
        print(f"{text}\n{REMEDY}", file=sys.stderr)
        note.write_text(f"{text}\n{REMEDY}", encoding="utf-8")
        build_data["force_include"][str(note)] = f"{PACKAGE}/why_not.txt"
