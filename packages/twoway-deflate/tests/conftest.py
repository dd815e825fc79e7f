from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from twoway.deflate import ENGINES, PerMessageDeflate, is_installed
from twoway.deflate._engines import Engine, load_engine

Pair = tuple[PerMessageDeflate, PerMessageDeflate]


def require_engine(name: str) -> str:
    if not is_installed(name):
        pytest.skip(f"NOT TESTED HERE: engine {name} is not installed")
    return name


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return load_engine(require_engine(request.param))


@pytest.fixture(params=ENGINES)
def other_engine(request: pytest.FixtureRequest) -> Engine:
    return load_engine(require_engine(request.param))


@pytest.fixture
def pair() -> Callable[..., Pair]:
    """Make both ends of a connection; the second one takes the parameters of the first one the other way round."""

    def make(bits: int = 12, forgets: bool = False, other: dict[str, object] | None = None, **options: object) -> Pair:
        ours = PerMessageDeflate(False, forgets, 15, bits, **options)  # type: ignore[arg-type]
        theirs = PerMessageDeflate(forgets, False, bits, 15, **(options if other is None else other))  # type: ignore[arg-type]
        return ours, theirs

    return make


@pytest.fixture
def messages() -> list[bytes]:
    """Messages that refer to each other, of every kind of size, with stretches that cannot be compressed."""
    chance = random.Random(7692)
    words = [chance.randbytes(chance.randrange(2, 12)) for _ in range(60)]
    sizes = [0, 1, 2, 40, 100, 300, 1000, 5000, 20000, 0, 70000, 500, 500]
    made = [b"".join(chance.choices(words, k=size // 6)) for size in sizes]
    return [*made, chance.randbytes(3000), bytes(40000), made[6], made[7]]
