"""Each input of the corpus, once, without a fuzzer: what was broken once stays mended."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_targets.registry import TARGETS
from fuzz_targets.target import CORPUS, Target, cut

from twoway.frames import IMPLEMENTATION

INPUTS = [
    pytest.param(target, path, id=f"{name}-{path.stem}")
    for name, target in TARGETS.items()
    for path in sorted(target.corpus.glob("*.bin"))
]


@pytest.mark.parametrize(("target", "path"), INPUTS)
def test_input(target: Target, path: Path) -> None:
    if target.compiled and IMPLEMENTATION != "compiled":
        pytest.skip("NOT TESTED HERE: the compiled codec is not in use")
    data = path.read_bytes()
    target.check(data)
    # What a fuzzer does first: inputs that end too early, or are two.
    for other in (data[: len(data) // 2], data[1:], data + data):
        target.check(other)


def test_every_target_has_inputs_and_every_folder_a_target() -> None:
    assert all(any(target.corpus.glob("*.bin")) for target in TARGETS.values())
    folders = {target.corpus for target in TARGETS.values()}
    assert {path for path in CORPUS.iterdir() if path.is_dir()} <= folders


@pytest.mark.parametrize("size", range(8))
def test_pieces_are_the_whole(size: int) -> None:
    data = bytes(range(size))
    assert b"".join(cut(data)) == data
