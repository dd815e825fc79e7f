"""The ledger notices what must not be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fault_rig.ledger import Entry, check
from fault_rig.relay import Fate
from fault_rig.workload import Plan, Record

CUT = Fate("drop")


def find(**wanted):
    """Find a plan with these properties and messages in both directions."""
    plans = (Plan.make(f"/{number}") for number in range(10**6))
    return next(
        plan
        for plan in plans
        if all(getattr(plan, name) == value for name, value in wanted.items()) and min(plan.counts.values()) > 1
    )


@pytest.fixture
def entry():
    """A connection that the client has closed after all messages; both sides are content."""
    plan = find(closer="client", end="close")
    sides = []
    for side, peer, cause in (("client", "server", "LOCAL_CLOSE"), ("server", "client", "REMOTE_CLOSE")):
        record = Record(plan.name, side, opened=True, sent=plan.counts[side], orderly=True, cause=cause)
        for number in range(plan.counts[peer]):
            record.note(plan.message(peer, number))
        sides.append(record)
    return Entry(*sides)


def change(entry, **changes):
    """Change what one side has noted."""
    side, changes = changes.popitem()
    return replace(entry, **{side: replace(getattr(entry, side), **changes)})


def test_nothing_is_wrong_with_a_good_connection(entry):
    assert entry.is_success
    assert list(check(entry)) == []


def test_both_sides_know_what_is_said():
    plan = find(closer="server")
    assert Plan.make(plan.name) == plan
    whole = [
        "".join(part) if isinstance(part, list) and isinstance(part[0], str) else part
        for part in plan.outgoing("client")
    ]
    whole = [b"".join(message) if isinstance(message, list) else message for message in whole]
    assert whole == [plan.message("client", number) for number in range(plan.counts["client"])]


@pytest.mark.parametrize("numbers", [[1], [0, 0], [0, 2], [1, 0], [0, 1, 1]], ids=str)
def test_messages_in_another_order_are_noticed(numbers):
    plan = find(closer="client")
    record = Record(plan.name, "server", opened=True)
    for number in numbers:
        record.note(plan.message("client", number))
    assert record.wrong


def test_a_message_that_is_changed_is_noticed():
    plan = find(closer="client")
    record = Record(plan.name, "server", opened=True)
    record.note(plan.message("client", 0)[:-1])
    assert record.wrong


def test_a_text_that_came_as_bytes_is_noticed():
    plan = find(closer="client")
    record = Record(plan.name, "server", opened=True)
    message = plan.message("client", 0)
    record.note(message.encode() if isinstance(message, str) else message.decode("latin-1"))
    assert record.wrong


def test_what_was_lost_on_a_connection_that_reported_success_is_noticed(entry):
    received = entry.server.received - 1
    for struck in (False, True):
        lossy = change(replace(entry, struck=struck, fate=CUT), server={"received": received})
        assert [problem for problem in check(lossy) if problem.startswith("success, but")]


def test_what_was_lost_on_a_connection_that_failed_is_no_problem(entry):
    cut = change(replace(entry, struck=True, fate=CUT), client={"orderly": False, "cause": "OS_ERROR"})
    cut = change(cut, server={"received": 1, "orderly": False, "cause": "VANISHED"})
    assert list(check(cut)) == []


def test_more_than_was_sent_is_noticed(entry):
    assert list(check(change(entry, client={"sent": entry.client.sent - 2})))


def test_an_end_that_nobody_caused_is_noticed(entry):
    for cause in ("VANISHED", "HEARTBEAT", "REMOTE_CLOSE", ""):
        assert list(check(change(entry, client={"orderly": cause == "REMOTE_CLOSE", "cause": cause})))
    assert list(check(replace(entry, server=None)))
    assert list(check(change(entry, client={"error": "TimeoutError"})))


def test_a_wrong_cause_is_noticed(entry):
    cut = replace(entry, struck=True, fate=CUT)
    for cause in ("HEARTBEAT", "REMOTE_ERROR", "LOCAL_ERROR", ""):
        assert list(check(change(cut, server={"orderly": False, "cause": cause})))


def test_an_exception_that_nobody_expects_is_noticed(entry):
    assert list(check(change(entry, server={"bug": "Traceback"})))
