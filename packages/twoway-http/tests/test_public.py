from __future__ import annotations

import subprocess
import sys

import twoway.http


def test_all_names_everything_public_and_nothing_else():
    public = {name for name in vars(twoway.http) if not name.startswith("_")} - {"annotations"}
    assert public == set(twoway.http.__all__)


def test_classes_name_their_public_home():
    for name in twoway.http.__all__:
        if isinstance(value := getattr(twoway.http, name), type):
            assert value.__module__ == "twoway.http"


def test_no_io_module_is_imported():
    code = "import sys, twoway.http; print({'asyncio', 'socket', 'ssl', 'selectors', 'threading'} & set(sys.modules))"
    # -S: what site imports is not ours
    path = [str(entry) for entry in sys.path if entry]
    code = f"import sys; sys.path[:] = {path!r}; {code}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
