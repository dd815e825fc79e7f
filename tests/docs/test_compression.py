"""The table of offers and answers in docs/explanation/compression.md is what the default server does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twoway.deflate import ServerPerMessageDeflateFactory
from twoway.frames import NegotiationError
from twoway.http import parse_extensions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "compression.md"
ROW = re.compile(r"^\| (?:none|`([^`]+)`)(?: \(browsers\))? \| `([^`]+)` \|$", re.MULTILINE)


def parameters(text):
    [(_, params)] = parse_extensions([f"permessage-deflate; {text}" if text else "permessage-deflate"])
    return params


def rows():
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("| offer | answer |")
    return ROW.findall(rest.partition("\n\n")[0])


def test_the_table_is_found():
    assert len(rows()) == 8


@pytest.mark.parametrize(("offer", "answer"), rows())
def test_offers_and_answers(offer, answer):
    params, _ = ServerPerMessageDeflateFactory().process_request_params(parameters(offer), [])
    assert list(params) == list(parameters(answer))


@pytest.mark.parametrize("value", ["", "=7", "=16", "=010", '="+9"'])
def test_declined(value):
    with pytest.raises(NegotiationError):
        ServerPerMessageDeflateFactory().process_request_params(parameters(f"server_max_window_bits{value}"), [])
