"""The map of the RFCs names code and tests that exist, and its tool notices what is wrong."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rfc_map():
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(ROOT / "tools")
        return importlib.import_module("rfc_map")


@pytest.fixture(scope="module")
def documents(rfc_map):
    return [rfc_map.load(ROOT, number) for number in rfc_map.RFCS]


def test_the_map_is_sound_and_the_page_is_what_it_says(rfc_map, documents):
    assert list(rfc_map.problems(ROOT, documents, list(rfc_map.cite(ROOT)))) == []
    assert (ROOT / rfc_map.PAGE).read_text(encoding="utf-8") == rfc_map.render(documents)


def test_no_must_is_without_a_test_unless_it_is_for_others(documents):
    """What is required of us is tested; the exceptions are few, and named here."""
    rows = [(document.number, row) for document in documents for row in document.requirements if not row.tests]
    untested = [(number, row.section) for number, row in rows if row.level.upper().startswith("MUST")]
    others = [("6455", "5.2")] * 2 + [("6455", "5.4")] * 4 + [("6455", "11.6")]
    assert untested == [*others, ("7692", "4"), ("7692", "5"), ("7692", "5.1")]


@pytest.mark.parametrize(
    "name",
    [
        "twoway.http.parse_uri",
        "twoway.http._uri.parse_uri",
        "twoway.frames.Close.parse",
        "twoway.frames.MessageDecoder.stop",  # of a base class
        "twoway.protocol.ServerProtocol.close",  # of a base class in another module
        "twoway.asyncio.ClientConnection.send",
        "twoway.frames.OK_CLOSE_CODES",
        "twoway.asyncio.ConnectionClosed",  # of another piece
    ],
)
def test_code_that_exists(rfc_map, name):
    assert rfc_map.find_code(ROOT, name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "twoway.http.parse_url",
        "twoway.http._url.parse_uri",
        "twoway.nothing.parse",
        "twoway.frames.Close.pars",
        "twoway.frames.decode_utf8.x",
        "other.frames.Close",
        "twoway",
    ],
)
def test_code_that_does_not_exist(rfc_map, name):
    assert rfc_map.find_code(ROOT, name) is None


def test_tests_that_exist_or_not(rfc_map):
    assert rfc_map.find_test(ROOT, "http/test_uri.py::test_invalid")
    assert rfc_map.find_test(ROOT, "tests/docs/test_rfc_map.py::test_tests_that_exist_or_not")
    assert not rfc_map.find_test(ROOT, "http/test_uri.py::test_nothing")
    assert not rfc_map.find_test(ROOT, "http/test_url.py::test_invalid")
    assert not rfc_map.find_test(ROOT, "http/test_uri.py")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"level": "MAY"}, "level 'MAY' is none of MUST, "),
        ({"tests": []}, "needs both code and tests, or a reason"),
        ({"code": []}, "needs both code and tests, or a reason"),
        ({"code": ["twoway.http.nothing"]}, "there is no twoway.http.nothing"),
        ({"tests": ["http/test_uri.py::test_nothing"]}, "there is no test http/test_uri.py::test_nothing"),
        ({"section": "99"}, "RFC 6455 has no section 99"),
    ],
)
def test_faults_are_found(rfc_map, documents, change, says):
    document = documents[0]
    row = next(row for row in document.requirements if not row.reason)
    (found,) = rfc_map.problems(ROOT, [replace(document, requirements=[replace(row, **change)])], [])
    assert says in found


def test_sections_in_disorder_and_citations_of_nothing_are_found(rfc_map, documents):
    document = documents[1]
    turned = replace(document, requirements=document.requirements[::-1])
    (found,) = rfc_map.problems(ROOT, [turned], [("a.py", "7692", "7.1"), ("a.py", "9110", "99")])
    assert found == "RFC 7692: the requirements are not in the order of the sections"
    (found,) = rfc_map.problems(ROOT, [document], [("a.py", "7692", "7.9")])
    assert found == "a.py: RFC 7692 has no section 7.9"
