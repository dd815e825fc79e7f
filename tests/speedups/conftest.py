"""Both implementations side by side, and what a user can see of each."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from twoway import frames
from twoway.frames import IMPLEMENTATION, _decoder, _encoder, _mask, _native, _utf8

Run: TypeAlias = Callable[[Any, Iterable[bytes]], object]


@pytest.fixture(scope="session")
def pure() -> SimpleNamespace:
    """The reference, also where `twoway.frames` has the twins."""
    modules = (_decoder, _encoder, _mask, _utf8)
    return SimpleNamespace(**{name: _find(modules, name) for name in _native.TWINS})


def _find(modules: Iterable[object], name: str) -> object:
    return next(getattr(module, name) for module in modules if hasattr(module, name))


@pytest.fixture(scope="session")
def compiled() -> Any:
    """The twins; there is nothing to compare with in a run with the pure codec."""
    if IMPLEMENTATION == "pure":
        pytest.skip("NOT TESTED HERE: the compiled codec is not in use")
    return SimpleNamespace(**{name: getattr(frames, name) for name in _native.TWINS})


@pytest.fixture(scope="session")
def seen() -> Callable[..., object]:
    """Call something and give what came of it: the result, or the error with its class and text."""

    def see(function: Callable[..., object], *args: object, **kwargs: object) -> object:
        try:
            result = function(*args, **kwargs)
        except Exception as exc:
            return type(exc), str(exc), type(exc.__cause__), type(exc.__context__)
        return type(result), result

    return see


@pytest.fixture(scope="session")
def run() -> Run:
    """Feed a decoder piece by piece and give everything that its user sees after each of them."""

    def feed_all(decoder: Any, pieces: Iterable[bytes]) -> object:
        steps = []
        for piece in pieces:
            items = decoder.feed(piece)
            error = decoder.error
            about = error and (type(error), str(error), error.args, vars(error), error.close_code)
            steps.append(([(type(item), item) for item in items], about, decoder.incomplete))
        return steps

    return feed_all


@pytest.fixture(scope="session")
def leaves_nothing() -> Callable[[Callable[[], None], int], None]:
    """Call something a number of times, and see that neither memory nor objects are left behind."""

    def check(call: Callable[[], None], times: int) -> None:
        for _ in range(3):
            call()
        gc.collect()
        tracemalloc.start()
        try:
            call()
            gc.collect()
            before, objects = tracemalloc.get_traced_memory()[0], len(gc.get_objects())
            for _ in range(times):
                call()
            gc.collect()
            growth = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert growth < 20_000
        assert len(gc.get_objects()) - objects < 50

    return check
