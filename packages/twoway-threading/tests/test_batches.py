"""What a connection offers beyond one message at a time: batches, amounts, both sides' closings, names in errors."""

from __future__ import annotations

import math
import threading

import pytest

from twoway.threading import Cause, ConcurrencyError, ConnectionClosedError, ConnectionClosedOK, State, connect


@pytest.mark.feature("receive all messages that wait")
def test_a_batch_is_what_waits(connected):
    with connected() as (client, server):
        for message in ("a", b"b", ["c", "d"]):
            server.send(message)
        assert client.recv() == "a"
        client.ping().wait()  # all that was sent before the pong is here
        assert client.recv_batch() == [b"b", "cd"]


@pytest.mark.feature("receive all messages that wait")
def test_a_batch_waits_for_the_first_message(connected, spawn):
    with connected() as (client, server):
        receiving = spawn(client.recv_batch, decode=False).blocked()
        server.send("text")
        assert receiving.result() == [b"text"]
        server.close()
        with pytest.raises(ConnectionClosedOK):
            client.recv_batch()


@pytest.mark.feature("receive all messages that wait")
def test_a_batch_is_not_waited_for_longer_than_its_timeout(connected):
    with connected() as (client, server):
        for timeout in (0, 0.02):
            with pytest.raises(TimeoutError):
                client.recv_batch(timeout=timeout)
        server.send("a")
        assert client.recv_batch(timeout=20) == ["a"]


@pytest.mark.feature("receive all messages that wait")
def test_a_batch_makes_room_for_more(connected, spawn):
    with connected(client={"max_queue": 2}) as (client, server):
        sent = [f"message {number}" for number in range(100)]

        def send():
            for message in sent:
                server.send(message)

        sending = spawn(send)
        received: list[str] = []
        while len(received) < len(sent):
            received += client.recv_batch(decode=True)
        sending.result()
        assert received == sent


@pytest.mark.feature("close codes and reasons of both sides, and who was first")
def test_both_sides_know_both_close_frames_and_which_was_first(connected):
    with connected() as (client, server):
        assert (client.close_sent, client.close_rcvd, client.close_rcvd_then_sent, client.cause) == (None,) * 4
        client.close(4000, "over")
        server.wait_closed()
        for side in (client, server):
            assert (side.close_sent.code, side.close_rcvd.reason) == (4000, "over")
        assert (client.close_rcvd_then_sent, server.close_rcvd_then_sent) == (False, True)
        assert (client.cause, server.cause) == (Cause.LOCAL_CLOSE, Cause.REMOTE_CLOSE)


def test_buffered_amount_counts_what_is_not_written(silent, spawn, until):
    with silent() as uri:
        client = connect(uri, compression=None).connect()
        assert client.buffered_amount == 0
        sending = spawn(client.send, b"x" * 20_000_000)
        until(lambda: client.buffered_amount > 1_000_000)
        sending.blocked()
        client.abort()
        assert isinstance(sending.error(), ConnectionClosedError)


def test_the_error_names_the_thread_that_receives(connected, spawn):
    with connected() as (client, server):
        receiving = threading.Thread(target=client.recv, name="the reader")
        receiving.start()
        with pytest.raises(ConcurrencyError, match="the reader does"):
            while True:
                client.recv(timeout=0.01)
        server.send("a")
        receiving.join()


def test_a_ping_may_end_well_without_a_pong(silent):
    with silent() as uri:
        client = connect(uri).connect()
        hopeful, plain = client.ping(ack_on_close=True), client.ping()
        client.abort()
        assert math.isnan(hopeful.wait())
        assert hopeful.done()
        with pytest.raises(ConnectionClosedError, match="aborted by us"):
            plain.wait()


@pytest.mark.feature("time limit for the closing handshake")
def test_closing_may_take_less_than_the_close_timeout(silent):
    with silent() as uri:
        client = connect(uri, close_timeout=None).connect()
        client.close(timeout=0.05)
        assert client.state is State.CLOSED
        assert client.cause is Cause.ABORTED


def test_a_timeout_that_is_long_enough_changes_nothing(connected):
    with connected() as (client, _):
        client.close(4001, timeout=20)
        assert client.close_code == 4001


@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), ("1", TypeError)])
def test_timeout_of_close_is_checked(connected, timeout, error):
    with connected() as (client, _):
        with pytest.raises(error, match="timeout"):
            client.close(timeout=timeout)
        assert client.state is State.OPEN


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize("role", ["client", "server"])
def test_a_message_in_too_many_fragments_ends_the_connection(connected, role):
    with connected(**{role: {"max_fragments": 3}}) as (client, server):
        limited, other = (client, server) if role == "client" else (server, client)
        other.send(["a", "b"])  # and an empty frame that ends the message
        assert limited.recv() == "ab"
        other.send(["a", "b", "c"])
        limited.wait_closed()
        assert limited.close_sent.code == 1009
