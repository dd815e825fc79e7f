"""What the compiled module does without `twoway.frames`; the tests of that package run over the twins, too."""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

import pytest

from twoway import speedups

NAME = "twoway.speedups._frames"
IS_COMPILED = importlib.util.find_spec(NAME) is not None
compiled_only = pytest.mark.skipif(not IS_COMPILED, reason="NOT TESTED HERE: twoway.speedups was not compiled")
KEY = bytes.fromhex("37fa213d")


@pytest.fixture
def module() -> Any:
    """Give a module of its own, which nobody has handed anything."""
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_was_compiled_or_says_why_not() -> None:
    assert os.environ.get("TWOWAY_TEST_IMPLEMENTATION") != "compiled" or IS_COMPILED
    assert not (IS_COMPILED and speedups.WHY_NOT)
    assert speedups.__all__ == ["WHY_NOT"]


@compiled_only
def test_what_needs_no_class_of_ours_works_alone(module: Any) -> None:
    assert module.apply_mask(b"Hello", KEY) == bytes.fromhex("7f9f4d5158")
    assert module.encode_frame(1, "Hello", masked=True, key=KEY) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert module.encode_header(2, 65536) == bytes.fromhex("827f0000000000010000")
    assert module.decode_utf8(b"\xc3\xa9") == "é"
    assert len({module.new_masking_key() for _ in range(100)}) > 98


@compiled_only
def test_what_needs_them_says_so(module: Any) -> None:
    paths = [module.Inbox, module.ProtocolPath, module.DeflatePath, module.AsyncioPath, module.ThreadingPath]
    if sys.platform != "win32":
        paths.append(module.SocketPath)
    functions = (
        lambda: module.decode_utf8(b"\xff"),
        lambda: module.split_request(b"", 1, 1, 1),
        lambda: module.split_fields(b"", 1),
        lambda: module.check_request(None),
    )
    for make in (module.MessageDecoder, module.FrameDecoder, *functions, *paths):
        with pytest.raises(RuntimeError, match=r"^twoway\.speedups is of no use alone: import what its classes are"):
            make()


@compiled_only
def test_classes_that_were_not_initialized_are_refused(module: Any) -> None:
    for name, method in [("MessageDecoder", "feed"), ("FrameDecoder", "feed"), ("Utf8Decoder", "decode")]:
        kind = getattr(module, name)
        decoder = kind.__new__(kind)
        with pytest.raises(RuntimeError, match=r"^__init__\(\) was not called$"):
            getattr(decoder, method)(b"\x81\x00")


@compiled_only
def test_binding_wants_every_name(module: Any) -> None:
    portions = ("protocol", "deflate", "asyncio", "threading", "http")
    for bind in (module.bind, *(getattr(module, f"bind_{portion}") for portion in portions)):
        for names in ({}, {"Close": int}, {"OPEN": 1}, {"AsyncioPath": int}, {"KNOWN": {}}):
            with pytest.raises(TypeError, match="missing argument"):
                bind(**names)


@compiled_only
def test_it_does_not_switch_the_gil_on(module: Any) -> None:
    is_on = getattr(sys, "_is_gil_enabled", lambda: True)
    assert is_on() is not (os.environ.get("TWOWAY_TEST_FREE_THREADED") == "1")
