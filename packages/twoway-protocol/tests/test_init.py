"""The public names: complete, documented, at home in `twoway.protocol`."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import twoway.protocol
from twoway.protocol import testing

DATA = {
    "OWN_WISHES",
    "TRANSITIONS",
    "USER_AGENT",
    "Event",
    "MaxQueue",
    "MaxSize",
    "Origins",
    "ProcessException",
    "SlowConsumer",
    "Source",
}


def test_all_is_exactly_what_is_public() -> None:
    public = {name for name, value in vars(twoway.protocol).items() if not name.startswith("_")}
    modules = {name for name, value in vars(twoway.protocol).items() if inspect.ismodule(value)}
    assert set(twoway.protocol.__all__) == public - modules - {"annotations", "FunctionType"}
    assert len(set(twoway.protocol.__all__)) == len(twoway.protocol.__all__)


@pytest.mark.parametrize("name", sorted(set(twoway.protocol.__all__) - DATA))
def test_public_objects_are_documented_and_know_their_home(name: str) -> None:
    value = getattr(twoway.protocol, name)
    assert value.__module__ == "twoway.protocol"
    assert value.__doc__
    members = vars(value).items() if inspect.isclass(value) else []
    undocumented = [
        member
        for member, thing in members
        if not member.startswith("_") and (inspect.isfunction(thing) or isinstance(thing, property))
        if not inspect.getdoc(thing)
    ]
    assert not undocumented


@pytest.mark.parametrize("name", sorted(set(testing.__all__) - {"Chunk"}))
def test_testing_is_documented(name: str) -> None:
    value = getattr(testing, name)
    assert value.__module__ == "twoway.protocol.testing"
    assert value.__doc__


def test_exceptions_of_one_family() -> None:
    base = twoway.protocol.WebSocketException
    exceptions = [value for value in vars(twoway.protocol).values() if inspect.isclass(value)]
    for value in exceptions:
        if issubclass(value, BaseException):
            assert issubclass(value, base)


def test_import_brings_no_io() -> None:
    code = (
        "import sys; before = set(sys.modules); import twoway.protocol, twoway.protocol.testing\n"
        "names = {'asyncio', 'socket', 'ssl', 'threading', 'selectors', 'select', 'queue', 'subprocess'}\n"
        "print(sorted((set(sys.modules) - before) & names))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
