"""What must be true of the records of both sides of a connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .relay import UNHARMED, Fate
from .workload import Record

_GONE = {"VANISHED", "OS_ERROR"}
#: Fault -> what a side may report that did not get to an orderly end.
CAUSES = {
    "drop": _GONE,
    "reset": _GONE,
    "half-close": _GONE,
    "silence": {"HEARTBEAT", "CLOSE_TIMEOUT"},
}


@dataclass(frozen=True)
class Entry:
    """
    Hold all that is known of a connection.

    Args:
        client: What the client saw.
        server: What the server saw; None if it did not take part in an opening handshake.
        fate: What the network did.
        struck: Whether the fault came to pass.
    """

    client: Record
    server: Record | None
    fate: Fate = UNHARMED
    struck: bool = False

    @property
    def sides(self) -> list[Record]:
        """Return the records that there are."""
        return [self.client] if self.server is None else [self.client, self.server]

    @property
    def is_success(self) -> bool:
        """Return whether both sides reported success."""
        return self.server is not None and self.client.orderly and self.server.orderly


def check(entry: Entry) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong with a connection."""
    for record in entry.sides:
        if record.bug:
            yield f"{record.side}: not documented:\n{record.bug}"
        if record.wrong:
            yield f"{record.side}: {record.wrong}"
    if entry.server is not None:
        yield from _check_messages(entry, entry.client, entry.server)
        yield from _check_messages(entry, entry.server, entry.client)
    yield from _check_causes(entry) if entry.struck else _check_end(entry)


def _check_messages(entry: Entry, sender: Record, receiver: Record) -> Iterator[str]:
    """
    Compare what was sent with what was received.

    The receiver has checked that each message is the next one; so it has a prefix of what was sent, which only its
    length can contradict.
    """
    # One call of send may have put its message on the way, and failed nevertheless.
    if receiver.received > sender.sent + 1:
        yield f"{sender.side} sent {sender.sent} messages, and {receiver.received} came"
    # Who closes first does not wait for what the peer may still be sending.
    hears_all = entry.client.plan.end == "close" or entry.client.plan.closer == sender.side
    if entry.is_success and hears_all and receiver.received != sender.sent:
        yield f"success, but of {sender.sent} messages of the {sender.side} {receiver.received} came"


def _check_end(entry: Entry) -> Iterator[str]:
    """Check that a connection that nobody harmed ended as planned."""
    plan = entry.client.plan
    if entry.server is None or entry.client.error:
        yield f"nobody harmed it, but it was not opened: {entry.client.error}"
    elif plan.end != "abort":
        expected = {plan.closer: "LOCAL_CLOSE"}
        for record in entry.sides:
            if not record.orderly or record.cause != expected.get(record.side, "REMOTE_CLOSE"):
                yield f"nobody harmed it, but for the {record.side} it ended with {record.cause} {record.chained}"
                yield f"the {record.side} had sent {record.sent} messages, and received {record.received}"
        for record in entry.sides if plan.end == "close" else []:
            if record.sent != plan.counts[record.side]:
                yield f"nobody harmed it, but the {record.side} could not send all"


def _check_causes(entry: Entry) -> Iterator[str]:
    """Check that a connection that was harmed ended with the right cause."""
    plan = entry.client.plan
    causes = CAUSES[entry.fate.fault]
    for record in entry.sides:
        if plan.end == "abort":
            causes = causes | ({"ABORTED"} if record.side == plan.closer else _GONE)
        if record.opened and not record.orderly and not record.bug and record.cause not in causes:
            yield f"for the {record.side} it ended with {record.cause} {record.chained}"


def check_all(entries: Iterable[Entry]) -> list[str]:
    """Return a sentence for each thing that is wrong, with the name of its connection and what was done to it."""
    return [f"{entry.client.name} {entry.fate}: {problem}" for entry in entries for problem in check(entry)]
