from __future__ import annotations

# The twins have the types of what they replace: see twoway.frames, which alone uses them.
VERSION: str

def bind(**names: object) -> None: ...
def forget_keys() -> None: ...
