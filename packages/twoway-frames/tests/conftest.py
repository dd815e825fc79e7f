"""What the tests of both decoders share: ways of cutting a stream, and what a reader sees of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, pairwise
from typing import Any

import pytest

Pieces = list[bytes]


def cut(data: bytes, positions: Iterable[int]) -> Pieces:
    return [data[start:end] for start, end in pairwise([0, *positions, len(data)])]


@pytest.fixture(scope="session")
def cuttings() -> Callable[[bytes], Iterator[Pieces]]:
    """Cut a short input everywhere: at one position, at two, and between all bytes."""

    def all_cuttings(data: bytes) -> Iterator[Pieces]:
        places = range(len(data) + 1)
        yield from (cut(data, [place]) for place in places)
        yield from (cut(data, pair) for pair in combinations(places, 2))
        yield cut(data, places)

    return all_cuttings


@pytest.fixture(scope="session")
def outcome() -> Callable[[Any, Iterable[bytes]], tuple[object, ...]]:
    """Feed a decoder and give everything that its user can see."""

    def feed_all(decoder: Any, pieces: Iterable[bytes]) -> tuple[object, ...]:
        items = [item for piece in pieces for item in decoder.feed(piece)]
        error = decoder.error
        code = None if error is None else error.close_code
        return [(type(item), item) for item in items], type(error), str(error), code, decoder.incomplete

    return feed_all
