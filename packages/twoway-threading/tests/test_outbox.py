"""What waits to be written: in order, in pieces that a socket may take, with TLS or without."""

from __future__ import annotations

import ssl

import pytest

from twoway.threading._outbox import _CHUNK, Outbox
from twoway.threading._tls import TLS


@pytest.fixture
def pair(tls):
    """Two ends of a TLS connection that have shaken hands."""
    ends = TLS(tls.client, server_hostname="localhost"), TLS(tls.server, server_side=True)
    while not all(end.established for end in ends):
        for here, there in (ends, ends[::-1]):
            here.shake_hands()
            there.feed(here.data_to_send())
    return ends


def drain(outbox):
    pieces = []
    while (piece := outbox.take()) is not None:
        pieces.append(bytes(piece))
    return pieces


def test_small_buffers_leave_together_and_in_order():
    outbox = Outbox(None)
    outbox.put([b"a", b"b"])
    outbox.put([b"c"])
    assert outbox.size == 3
    assert drain(outbox) == [b"abc"]
    assert outbox.size == 0


def test_a_large_buffer_leaves_as_it_is():
    large = bytes(2 * _CHUNK)
    outbox = Outbox(None)
    outbox.put([large])
    assert outbox.take() is large
    outbox.put([b"a", large, b"b"])
    assert drain(outbox) == [b"a", large, b"b"]


def test_what_is_discarded_does_not_come_back():
    outbox = Outbox(None)
    outbox.put([b"a", b"b"])
    outbox.clear()
    assert (outbox.take(), outbox.size) == (None, 0)


def test_without_tls_there_is_nothing_to_end():
    assert Outbox(None).close() is None


@pytest.mark.parametrize("sizes", [[1, 2, 3], [3 * _CHUNK + 7], [_CHUNK, 1, 2 * _CHUNK, 0, 5]])
def test_over_tls_all_arrives(pair, sizes):
    client, server = pair
    outbox = Outbox(client)
    sent = [bytes([number]) * size for number, size in enumerate(sizes)]
    outbox.put(sent)
    pieces = drain(outbox)
    assert max(map(len, pieces)) < 2 * _CHUNK  # never much more than is written at a time
    assert b"".join(server.receive(piece) for piece in pieces) == b"".join(sent)
    assert outbox.size == 0


def test_over_tls_nothing_leaves_before_the_handshake(tls):
    outbox = Outbox(TLS(tls.client, server_hostname="localhost"))
    outbox.put([b"secret"])
    assert outbox.take() is None
    assert outbox.size == 6


def test_the_end_of_tls_is_said_once(pair):
    client, server = pair
    outbox = Outbox(client)
    assert server.receive(outbox.close()) == b""
    assert server.eof
    assert outbox.close() is None


def test_after_the_end_nothing_can_be_sent_over_tls(pair):
    client, _ = pair
    client.close()
    outbox = Outbox(client)
    outbox.put([b"late"])
    with pytest.raises(ssl.SSLError):
        outbox.take()
