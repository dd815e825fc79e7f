from __future__ import annotations

import subprocess
import sys

import twoway.auth


def test_all_names_everything_public_and_nothing_else():
    public = {name for name in vars(twoway.auth) if not name.startswith("_")} - {"annotations"}
    assert public == set(twoway.auth.__all__)


def test_classes_name_their_public_home():
    for name in twoway.auth.__all__:
        if isinstance(value := getattr(twoway.auth, name), type):
            assert value.__module__ == "twoway.auth"


def test_what_is_slow_to_import_is_left_for_later():
    slow = {"asyncio", "socket", "ssl", "selectors", "threading", "hashlib", "hmac", "secrets", "urllib.parse", "netrc"}
    code = f"import sys, twoway.auth; print({slow!r} & set(sys.modules))"
    # -S: what site imports is not ours
    path = [str(entry) for entry in sys.path if entry]
    code = f"import sys; sys.path[:] = {path!r}; {code}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
