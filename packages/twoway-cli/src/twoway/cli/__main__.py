"""Run the command with ``python -m twoway.cli``."""

from __future__ import annotations

from ._main import main

if __name__ == "__main__":
    main()
