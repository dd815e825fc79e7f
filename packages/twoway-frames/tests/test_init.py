from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import GetSetDescriptorType, ModuleType

import pytest

import twoway
from twoway import frames

PUBLIC = [getattr(frames, name) for name in frames.__all__]
DOCUMENTED = [obj for obj in PUBLIC if inspect.isclass(obj) or inspect.isroutine(obj)]
NAMES = """
    CLOSE_CODE_MEANINGS CONTROL_OPCODES DATA_OPCODES DEFAULT_MAX_FRAGMENTS DEFAULT_MAX_SIZE IMPLEMENTATION
    OK_CLOSE_CODES Buffer ClientExtensionFactory Close CloseCode Extension ExtensionParameter Fragment Frame
    FrameDecoder FrameError
    InvalidPayloadError Item MessageDecoder NegotiationError Opcode PayloadTooBig Ping Pong ProtocolError Record
    ServerExtensionFactory TooManyFragments Utf8Decoder apply_mask check_limit decode_utf8 describe_close_code
    encode_frame encode_header get_twins is_valid_close_code new_masking_key reserved_bits serialize_frame shorten
"""
IO_MODULES = {"asyncio", "select", "selectors", "signal", "socket", "ssl", "subprocess", "threading"}


def test_all_is_exact() -> None:
    names = {
        name for name, value in vars(frames).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert names - {"annotations", "BuiltinFunctionType", "FunctionType"} == set(frames.__all__)
    assert len(set(frames.__all__)) == len(frames.__all__)


def test_public_names() -> None:
    """A change here is a change for users: it belongs into the changelog."""
    assert set(frames.__all__) == set(NAMES.split())


@pytest.mark.parametrize("obj", DOCUMENTED, ids=lambda obj: obj.__name__)
def test_public_home_and_docstring(obj: type) -> None:
    assert obj.__module__ == "twoway.frames"
    assert getattr(frames, obj.__name__) is obj
    check_docstring(obj)
    if inspect.isclass(obj):
        for name, member in vars(obj).items():
            if not name.startswith("_") and (
                inspect.isroutine(member) or isinstance(member, (property, GetSetDescriptorType))
            ):
                check_docstring(member)


def check_docstring(obj: object) -> None:
    summary = (inspect.getdoc(obj) or "").partition("\n")[0]
    assert summary.endswith(".")
    assert len(summary) < 79


def test_the_package_says_what_its_modules_hold() -> None:
    modules = {path.stem for path in Path(frames.__file__).parent.glob("_*.py")} - {"__init__"}
    assert frames.__doc__ is not None
    assert {module for module in modules if f"`{module}`" in frames.__doc__} == modules


def test_types_are_marked_for_checkers() -> None:
    assert Path(frames.__file__).with_name("py.typed").exists()


def test_twoway_is_a_namespace() -> None:
    assert getattr(twoway, "__file__", None) is None


def test_nothing_that_does_input_or_output_is_imported() -> None:
    program = f"""
import sys
before = set(sys.modules)
import twoway.frames
print(sorted((set(sys.modules) - before) & {IO_MODULES!r}))
"""
    source = Path(frames.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
