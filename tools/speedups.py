"""
Compile twoway-speedups for this Python into a folder that goes on the import path before the sources.

    python tools/speedups.py FOLDER [--sanitize]

``--sanitize`` builds with AddressSanitizer and UndefinedBehaviorSanitizer. It needs the dependency group `build`.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from _workspace import META, ROOT

PACKAGE = ROOT / "packages" / f"{META}-speedups"
SANITIZE = ["-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def compile_into(folder: Path, flags: list[str]) -> Path:
    """
    Make a folder with the piece in it, compiled.

    Args:
        folder: What goes on the import path; made if it is missing.
        flags: For the compiler and the linker.

    Returns:
        The compiled module.

    Raises:
        RuntimeError: It cannot be compiled here.
    """
    portion = folder / META / "speedups"
    portion.mkdir(parents=True, exist_ok=True)
    for source in (PACKAGE / "src" / META / "speedups").glob("*.py*"):
        shutil.copy(source, portion)
    return _compile(portion, flags)


def _compile(portion: Path, flags: list[str]) -> Path:
    spec = importlib.util.spec_from_file_location("hatch_build", PACKAGE / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    module: Path = hook.compile_module(PACKAGE, portion, flags)
    return module


def sanitizer_variables() -> dict[str, str]:
    """Return what a Python that was not built with the sanitizers needs to load a module that was."""
    library = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    return {
        "LD_PRELOAD": library.stdout.strip(),
        # The interpreter itself keeps memory to its end; its own allocator would hide what ours do.
        "ASAN_OPTIONS": "detect_leaks=0:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
    }


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Compile twoway-speedups for this Python.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sanitize", action="store_true", help="for tests that look for wrong memory accesses")
    arguments = parser.parse_args()
    print(compile_into(arguments.folder.resolve(), SANITIZE if arguments.sanitize else []))
    return 0


if __name__ == "__main__":
    sys.exit(main())
