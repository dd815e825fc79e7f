from __future__ import annotations

from twoway.deflate._history import remember


def test_the_end_is_remembered() -> None:
    history, sent = bytearray(), b""
    for count in range(40):
        data = bytes([count]) * count
        sent += data
        remember(history, data, 64)
        assert history == sent[-64:]


def test_a_long_piece_replaces_all() -> None:
    history = bytearray(b"before")
    remember(history, b"0123456789", 4)
    assert history == b"6789"
    remember(history, b"abcd", 4)
    assert history == b"abcd"
