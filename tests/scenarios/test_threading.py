"""No call of the driver for threads outlives its timeout, whatever the peer does, and no thread waits for another."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from twoway.threading import (
    ConcurrencyError,
    ConnectionClosed,
    InvalidHandshake,
    State,
    broadcast,
    connect,
    serve,
)

CHUNK = b"x" * 65536
MANY = 500
# A thread that takes longer than this hangs; seconds.
PATIENCE = 30.0


# The table of peers and calls


def send(connection: Any) -> None:
    for _ in range(MANY):
        connection.send(CHUNK)
    connection.wait_closed()


def send_fragmented(connection: Any) -> None:
    connection.send(CHUNK for _ in range(MANY))
    connection.wait_closed()


def receive(connection: Any) -> None:
    while True:
        connection.recv()


def ping(connection: Any) -> None:
    while True:
        connection.ping().wait()
        time.sleep(0.01)


def close(connection: Any) -> None:
    connection.close()


def send_and_close(connection: Any) -> None:
    """A peer may never read: another thread closes in spite of that."""
    sending = threading.Thread(target=attempt, args=(send, connection))
    sending.start()
    time.sleep(0.1)
    connection.close()
    sending.join(PATIENCE)
    assert not sending.is_alive()


def receive_and_abort(connection: Any) -> None:
    receiving = threading.Thread(target=attempt, args=(receive, connection))
    receiving.start()
    time.sleep(0.1)
    connection.abort()
    receiving.join(PATIENCE)
    assert not receiving.is_alive()


def broadcast_and_close(connection: Any) -> None:
    while not broadcast([connection], CHUNK):
        time.sleep(0.001)
    connection.close()


def leave(connection: Any) -> None:
    """Leave it to the end of the context, or of the handler."""


CALLS = [send, send_fragmented, receive, ping, close, send_and_close, receive_and_abort, broadcast_and_close, leave]


def attempt(call: Any, connection: Any) -> None:
    with contextlib.suppress(ConnectionClosed):
        call(connection)


def as_client(peers: Any, behaviour: Any, call: Any) -> None:
    secure = peers.secure(behaviour)
    with peers.serve(behaviour) as port:
        uri = f"{'wss' if secure else 'ws'}://localhost:{port}/"
        options = {**peers.options(behaviour), "host": "127.0.0.1", "ssl": peers.client_tls if secure else None}
        try:
            with connect(uri, **options) as connection:
                attempt(call, connection)
            assert connection.state is State.CLOSED
        except (TimeoutError, InvalidHandshake):
            assert behaviour.__name__ == "stops_inside_the_handshake"


def as_server(peers: Any, behaviour: Any, call: Any) -> None:
    secure = peers.secure(behaviour)
    handled: list[Any] = []
    seen = threading.Event()

    def handler(connection: Any) -> None:
        handled.append(connection)
        attempt(call, connection)

    options = {**peers.options(behaviour), "ssl": peers.server_tls if secure else None}
    with serve(handler, "127.0.0.1", 0, create_connection=noticing(seen), **options) as server:
        peers.connect(behaviour, server.sockets[0].getsockname()[1])
        assert seen.wait(PATIENCE)
        server.close(close_connections=False)
        server.wait_closed(PATIENCE)
    assert all(connection.state is State.CLOSED for connection in handled)


def noticing(seen: threading.Event) -> Any:
    """Make a class of connections that tell when the first one opens, or will never."""
    from twoway.threading import ServerConnection

    class Noticing(ServerConnection):
        def handle(self, event: object) -> None:
            super().handle(event)
            if self.state is not State.CONNECTING:
                seen.set()

    return Noticing


def end_server(peers: Any, behaviour: Any, how: str) -> None:
    """Close a server with one connection whose handler does nothing but receive."""
    secure = peers.secure(behaviour)
    seen = threading.Event()

    def process_request(connection: Any, request: Any) -> None:
        seen.set()

    def handler(connection: Any) -> None:
        attempt(receive, connection)

    options = {
        **peers.options(behaviour),
        "ssl": peers.server_tls if secure else None,
        "process_request": process_request,
    }
    with serve(handler, "127.0.0.1", 0, **options) as server:
        peers.connect(behaviour, server.sockets[0].getsockname()[1])
        if behaviour.__name__ != "stops_inside_the_handshake":
            assert seen.wait(PATIENCE)
        if how == "close":
            server.close()
            server.wait_closed(PATIENCE)
        elif how == "shutdown":
            server.shutdown(grace=2)


def within(limit: float, scenario: Callable[[], None]) -> str:
    """Give what is wrong with a scenario, nothing if it ended well and in time."""
    begun = time.monotonic()
    try:
        scenario()
    except BaseException as exc:
        return repr(exc)
    elapsed = time.monotonic() - begun
    return f"took {elapsed:.1f} s" if elapsed > limit else ""


def run_all(peers: Any, run: Any, calls: list[Any]) -> dict[str, str]:
    names = {call if isinstance(call, str) else call.__name__: call for call in calls}
    scenarios = {f"{b.__name__} x {n}": (b, c) for b in peers.behaviours for n, c in names.items()}
    wrong: dict[str, str] = {}

    def one(name: str, behaviour: Any, call: Any) -> None:
        wrong[name] = "has not ended"
        # With a little more than the limit, as all of them share a machine.
        wrong[name] = within(2 * peers.limit, lambda: run(peers, behaviour, call))

    threads = [threading.Thread(target=one, args=(name, *what), daemon=True) for name, what in scenarios.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))
    return {name: text for name, text in wrong.items() if text}


@pytest.mark.feature("no call outlives its timeout", "threading")
@pytest.mark.parametrize(
    ("run", "calls"),
    [(as_client, CALLS), (as_server, CALLS), (end_server, ["close", "shutdown", "context exit"])],
    ids=["client", "server", "end of the server"],
)
def test_everything_ends(peers: Any, run: Any, calls: list[Any]) -> None:
    assert run_all(peers, run, calls) == {}


# Two sides, and threads of one side


@contextlib.contextmanager
def pair(server: dict[str, Any], client: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Connect a client to a server; gives both ends."""
    accepted: list[Any] = []
    here, done = threading.Event(), threading.Event()

    def handler(connection: Any) -> None:
        accepted.append(connection)
        here.set()
        done.wait()

    with serve(handler, "127.0.0.1", 0, **server) as listening:
        port = listening.sockets[0].getsockname()[1]
        scheme = "ws" if server.get("ssl") is None else "wss"
        with connect(f"{scheme}://localhost:{port}/", host="127.0.0.1", **client) as connection:
            try:
                assert here.wait(PATIENCE)
                yield connection, accepted[0]
            finally:
                done.set()


@pytest.mark.feature("backpressure in both directions", "threading")
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("receiving", ["after", "meanwhile"])
def test_both_sides_send_a_lot_at_the_same_moment(peers: Any, secure: bool, receiving: str) -> None:
    options: dict[str, Any] = {"compression": None, "max_size": None, "ping_timeout": 60}
    if receiving == "after":  # all must find its place without anybody in recv()
        options["max_queue"] = None
    server, client = ({**options, "ssl": tls if secure else None} for tls in (peers.server_tls, peers.client_tls))
    message = random.Random(1).randbytes(20_000_000)
    with pair(server, client) as ends, ThreadPoolExecutor(4) as pool:
        receiving_now = [pool.submit(end.recv) for end in ends] if receiving == "meanwhile" else []
        for sending in [pool.submit(end.send, message) for end in ends]:
            assert sending.result(PATIENCE) is True
        receiving_now = receiving_now or [pool.submit(end.recv) for end in ends]
        assert all(task.result(PATIENCE) == message for task in receiving_now)


def test_closing_ends_in_spite_of_half_a_record(peers: Any) -> None:
    """A TLS peer stops in the middle of a record; the close frame goes out, and the timeout counts."""
    behaviour = next(one for one in peers.behaviours if one.__name__ == "stops_inside_a_tls_record")
    with peers.serve(behaviour) as port:
        options = {"ssl": peers.client_tls, "host": "127.0.0.1", "close_timeout": None, "ping_interval": None}
        connection = connect(f"wss://localhost:{port}/", **options).connect()
        with pytest.raises(TimeoutError):
            connection.recv(timeout=0.2)
        begun = time.monotonic()
        connection.close(timeout=2)
        assert connection.state is State.CLOSED
        assert time.monotonic() - begun < PATIENCE


BLOCKED: dict[str, Callable[[Any], object]] = {
    "recv": lambda connection: connection.recv(),
    "recv with a timeout": lambda connection: connection.recv(timeout=PATIENCE),
    "recv_streaming": lambda connection: next(connection.recv_streaming()),
    "iterate": lambda connection: list(connection),
    "send": lambda connection: [connection.send(CHUNK) for _ in range(MANY)],
    "send fragments": lambda connection: connection.send(CHUNK for _ in range(MANY)),
    "ping": lambda connection: connection.ping().wait(),
    "close": lambda connection: connection.close(),
    "wait_closed": lambda connection: connection.wait_closed(),
}


@pytest.mark.feature("cancel any call without loss", "threading")
def test_abort_from_another_thread_ends_all_that_waits(peers: Any) -> None:
    """One connection, and all kinds of calls at once."""
    behaviour = next(one for one in peers.behaviours if one.__name__ == "never_reads")
    with peers.serve(behaviour) as port, ThreadPoolExecutor(len(BLOCKED)) as pool:
        options = {"close_timeout": None, "ping_interval": None, "compression": None}
        connection = connect(f"ws://127.0.0.1:{port}/", **options).connect()
        tasks = {name: pool.submit(call, connection) for name, call in BLOCKED.items()}
        time.sleep(0.3)
        connection.abort()
        errors = {name: type(task.exception(PATIENCE)) for name, task in tasks.items()}
    allowed = {type(None), ConcurrencyError, *ConnectionClosed.__subclasses__()}
    assert {name: error for name, error in errors.items() if error not in allowed} == {}
    assert connection.state is State.CLOSED


# Threads and descriptors


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def io_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "twoway-io"]


@pytest.fixture(scope="module")
def echo_server() -> Iterator[str]:
    """Run a reference server in a process of its own; gives its address."""
    with running(SERVER) as process:
        assert process.stdout is not None
        yield f"ws://127.0.0.1:{int(process.stdout.readline())}/"
        process.terminate()


def _hear_ctrl_c() -> None:
    """Have Ctrl-C mean what it means in a terminal, even where the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program; it must have ended before this is left, or is killed."""
    command = [sys.executable, "-u", "-W", "error", "-X", "faulthandler", "-c", program, *arguments]
    hear = None if os.name == "nt" else _hear_ctrl_c
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear,  # noqa: PLW1509  # it only sets a signal
    ) as process:
        try:
            yield process
        finally:
            try:
                process.wait(0)
            except subprocess.TimeoutExpired:
                process.kill()


SERVER = """
from twoway.threading import serve

def echo(connection):
    for message in connection:
        connection.send(message)

with serve(echo, "127.0.0.1", 0, max_threads=None, close_timeout=1) as server:
    print(server.sockets[0].getsockname()[1])
    server.serve_forever()
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not tell")
def test_many_clients_need_one_thread_and_a_descriptor_each(echo_server: str) -> None:
    with connect(echo_server) as first:  # and the thread is there, with its descriptors
        first.ping().wait()
    before, threads = descriptors(), set(threading.enumerate())
    clients = [connect(echo_server).connect() for _ in range(200)]
    try:
        for number, client in enumerate(clients):
            client.send(str(number))
        assert [client.recv() for client in clients] == [str(number) for number in range(200)]
        assert set(threading.enumerate()) <= threads
        assert io_threads() == ["twoway-io"]
        assert descriptors() <= before + 200
    finally:
        for client in clients:
            client.abort()
        for client in clients:
            client.wait_closed(PATIENCE)
    assert descriptors() <= before


def test_a_thousand_idle_connections_are_served(echo_server: str) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    number = min(1000, limit - 200)
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            stack.callback(connect(echo_server, compression=None).connect().abort)
        with connect(echo_server) as last:
            last.send("still there?")
            assert last.recv(timeout=PATIENCE) == "still there?"


# Processes: Ctrl-C, fork, exit

INTERRUPTED = """
import sys, threading
from twoway.threading import connect, serve

def silent(connection):
    done.wait()

uri, how = sys.argv[1:]
done = threading.Event()
server = serve(silent, "127.0.0.1", 0, close_timeout=0.2)
client = connect(uri, close_timeout=None, ping_interval=None, compression=None)

def call():
    if how == "serve_forever":
        done.set()
        server.serve_forever()
    elif how == "server.wait_closed":
        server.wait_closed()
    elif how == "shutdown":
        local = connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/").connect()
        print("waiting", flush=True)
        server.shutdown(grace=1000)
    elif how == "reconnect":
        for _ in connect("ws://127.0.0.1:1/", reconnect_delays=lambda: iter([1000])):
            pass
    elif how == "connect":
        connect(uri + "?silent", open_timeout=None).connect()
    elif how == "recv":
        client.recv()
    elif how == "recv_timeout":
        client.recv(timeout=1000)
    elif how == "iterate":
        list(client.connect())
    elif how == "recv_streaming":
        next(client.recv_streaming())
    elif how == "send":
        while True:
            client.send(bytes(65536))
    elif how == "ping":
        client.ping().wait()
    elif how == "close":
        client.ping()
        client.close()
    elif how == "wait_closed":
        client.wait_closed()

print("waiting", flush=True)
try:
    call()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    if client._connection is not None:
        client.abort()
    done.set()
"""
INTERRUPTIBLE = [
    "recv",
    "recv_timeout",
    "iterate",
    "recv_streaming",
    "send",
    "ping",
    "close",
    "wait_closed",
    "connect",
    "reconnect",
    "serve_forever",
    "server.wait_closed",
    "shutdown",
]


@pytest.mark.feature("cancel any call without loss", "threading")
@pytest.mark.skipif(os.name == "nt", reason="no such signals here")
@pytest.mark.parametrize("how", INTERRUPTIBLE)
def test_ctrl_c_ends_each_call_that_waits(peers: Any, how: str) -> None:
    name = "stops_inside_the_handshake" if how == "connect" else "never_reads"
    behaviour = next(one for one in peers.behaviours if one.__name__ == name)
    needed = peers.serve(behaviour) if how in INTERRUPTIBLE[:9] else contextlib.nullcontext(1)
    with needed as port, running(INTERRUPTED, f"ws://127.0.0.1:{port}/", how) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(1)  # for it to wait indeed
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert "interrupted" in out, (out, err)
        assert process.returncode == 0, (out, err)


INTERRUPTED_ANYWHERE = """
import _thread, random, sys, threading, time
from twoway.threading import ConnectionClosed, connect

uri, chance = sys.argv[1], random.Random(7)
armed, done = threading.Event(), threading.Event()

def interrupt():
    while not done.is_set():
        if armed.wait(0.1):
            end = time.perf_counter() + chance.random() * 0.0004
            while time.perf_counter() < end:
                pass
            if armed.is_set():
                armed.clear()
                _thread.interrupt_main()
            time.sleep(0.001)

def check(client, text):
    client.send(text, timeout=20)
    while client.recv(timeout=20) != text:
        pass

threading.Thread(target=interrupt, daemon=True).start()
client, count, end = connect(uri).connect(), 0, time.monotonic() + 4
while time.monotonic() < end:
    try:
        try:
            armed.set()
            for _ in range(50):
                client.send("x")
                client.recv()
                client.ping().wait()
            armed.clear()
            time.sleep(0.005)  # the last one may still be on its way
        except KeyboardInterrupt:
            count += 1
            armed.clear()
            check(client, f"still there {count}?")
    except ConnectionClosed:
        armed.clear()
        client = connect(uri).connect()
done.set()
print(count)
"""


def test_ctrl_c_at_any_moment_leaves_a_connection_that_works_or_says_that_it_is_closed(echo_server: str) -> None:
    with running(INTERRUPTED_ANYWHERE, echo_server) as process:
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, (out, err)
        assert int(out) > 0


CLOSED_BY_SIGNAL = """
import signal
from twoway.threading import serve

def echo(connection):
    for message in connection:
        connection.send(message)

server = serve(echo, "127.0.0.1", 0)
signal.signal(signal.SIGTERM, lambda *_: server.close(code=1012))
print(server.sockets[0].getsockname()[1])
server.serve_forever()
print("closed")
"""


@pytest.mark.skipif(os.name == "nt", reason="no such signals here")
def test_a_signal_handler_may_close_the_server() -> None:
    with running(CLOSED_BY_SIGNAL) as process:
        assert process.stdout is not None
        with connect(f"ws://127.0.0.1:{int(process.stdout.readline())}/") as client:
            client.ping().wait()
            process.send_signal(signal.SIGTERM)
            client.wait_closed(PATIENCE)
            assert client.close_code == 1012
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (0, "closed\n"), err


FORK = """
import os, sys
from twoway.threading import connect, serve

uri = sys.argv[1]

def check(client):
    client.send("x")
    assert client.recv(timeout=20) == "x"
    client.ping().wait(20)

def echo(connection):
    for message in connection:
        connection.send(message)

server = serve(echo, "127.0.0.1", 0)
parent = connect(uri).connect()
check(parent)
child = os.fork()
if child == 0:
    try:
        with connect(uri) as client:
            check(client)
        with serve(echo, "127.0.0.1", 0) as own:
            with connect(f"ws://127.0.0.1:{own.sockets[0].getsockname()[1]}/") as client:
                check(client)
        try:
            parent.send("from the child")
        except Exception as exc:
            assert type(exc).__name__ == "ConnectionClosedError", exc
        else:
            raise AssertionError("the child may not use the connection of its parent")
        parent.close()
        server.close()
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
_, status = os.waitpid(child, 0)
check(parent)
parent.close()
with connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/") as client:
    check(client)
server.close()
server.wait_closed(20)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_process_can_have_connections(echo_server: str) -> None:
    with running(FORK, echo_server) as process:
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, (out, err)


FORK_WHILE_BUSY = """
import os, sys, threading
from twoway.threading import connect

uri = sys.argv[1]
stop = threading.Event()

def work(client):
    number = 0
    while not stop.is_set():
        client.send(str(number))
        assert client.recv() == str(number)
        number += 1

clients = [connect(uri).connect() for _ in range(4)]
threads = [threading.Thread(target=work, args=(client,)) for client in clients]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        client = connect(uri, open_timeout=20).connect()
        client.send("x")
        assert client.recv(timeout=20) == "x"
        client.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join(20)
    assert not thread.is_alive()
for client in clients:
    client.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_threads_are_busy_harms_neither_process(echo_server: str) -> None:
    # From 3.12 on, forking with threads is warned about; people do it all the same.
    with running("import warnings; warnings.simplefilter('ignore')\n" + FORK_WHILE_BUSY, echo_server) as process:
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, (out, err)


EXIT = """
import sys, threading
from twoway.threading import connect, serve

uri, how = sys.argv[1:]

def handler(connection):
    if how == "handler that sleeps":
        threading.Event().wait()
    for message in connection:
        pass

server = serve(handler, "127.0.0.1", 0)
local = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
clients = [connect(uri).connect(), connect(local).connect()]
connections = iter(connect(uri))
next(connections)
if how == "threads in calls":
    for call in (clients[0].recv, clients[1].wait_closed, clients[1].recv, server.serve_forever):
        threading.Thread(target=call, daemon=True).start()
if how == "direct":
    websocket = connect(uri)
    websocket.send("x")
if how == "exception":
    raise SystemExit(0)
print("done")
"""


@pytest.mark.parametrize("how", ["plain", "handler that sleeps", "threads in calls", "direct", "exception"])
def test_nothing_holds_the_end_of_the_interpreter(echo_server: str, how: str) -> None:
    with running(EXIT, echo_server, how) as process:
        out, err = process.communicate(timeout=PATIENCE)
        # A socket that is still open at the end may be warned about, but nothing may hang or crash.
        assert process.returncode == 0, (out, err)
        assert "Traceback" not in err, err


# Stress


@pytest.fixture
def switching() -> Iterator[None]:
    """Switch threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class Ledger:
    """Note what was sent and received on one connection, for each sender."""

    def __init__(self) -> None:
        self.sent: dict[str, int] = defaultdict(int)
        self.received: dict[str, list[int]] = defaultdict(list)
        self.wrong: list[str] = []
        self._last: dict[tuple[str, int], int] = defaultdict(lambda: -1)
        self._mutex = threading.Lock()

    def receive(self, message: str) -> None:
        """Note a message: each thread that receives sees those of one sender in order."""
        sender, number = message.split(" ", 2)[:2]
        with self._mutex:
            last = self._last[sender, threading.get_ident()]
            if int(number) <= last:
                self.wrong.append(f"{message[:40]!r} came after {last} of {sender}")
            self._last[sender, threading.get_ident()] = int(number)
            self.received[sender].append(int(number))

    def complete(self) -> bool:
        return sum(map(len, self.received.values())) >= sum(self.sent.values())

    def problems(self, sent: dict[str, int]) -> list[str]:
        """Say what was received out of order, lost, or received twice."""
        lost = [name for name, count in sent.items() if sorted(self.received[name]) != list(range(count))]
        return [*self.wrong, *(f"{name}: not exactly {sent[name]} messages" for name in lost)]


def stress(connection: Any, ledger: Ledger, name: str, end: float, seed: int) -> None:
    """Do random things until the time is over; one name sends its messages in order."""
    chance = random.Random(seed)
    sizes = [0, 1, 100, 5000, 70_000]
    while time.monotonic() < end:
        what = chance.random()
        if what < 0.45:
            text = f"{name} {ledger.sent[name]} " + "x" * chance.choice(sizes)
            connection.send(text if chance.random() < 0.8 else [text[:10], text[10:]])
            ledger.sent[name] += 1
        elif what < 0.85:
            with contextlib.suppress(TimeoutError, ConcurrencyError):
                ledger.receive(connection.recv(timeout=chance.choice([0, 0.0005, 0.01])))
        elif what < 0.9:
            with contextlib.suppress(TimeoutError, ConcurrencyError):
                for message in connection.recv_batch(timeout=0):
                    ledger.receive(message)
        elif what < 0.97:
            with contextlib.suppress(TimeoutError):
                connection.ping().wait(chance.choice([0, 1]))
        else:
            connection.pong(b"x")


def echo_to(ledgers: dict[str, Ledger]) -> Callable[[Any], None]:
    """Make a handler that sends everything back, checked on the way."""

    def handler(connection: Any) -> None:
        ledger = ledgers[connection.request.path]
        for message in connection:
            ledger.receive(message)
            connection.send(message)

    return handler


@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize("secure", [False, True])
def test_threads_that_share_connections_lose_nothing(peers: Any, secure: bool) -> None:
    """Sixteen threads on four connections, for a few seconds, switched as often as possible."""
    there: dict[str, Ledger] = {f"/{number}": Ledger() for number in range(4)}
    back = {path: Ledger() for path in there}
    common: dict[str, Any] = {"max_queue": (8, 2), "ping_timeout": 60}
    tls = (peers.server_tls, peers.client_tls) if secure else (None, None)
    with serve(echo_to(there), "127.0.0.1", 0, ssl=tls[0], **common) as server:
        port = server.sockets[0].getsockname()[1]
        uri = f"{'wss' if secure else 'ws'}://localhost:{port}"
        clients = {path: connect(uri + path, host="127.0.0.1", ssl=tls[1], **common).connect() for path in there}
        try:
            end = time.monotonic() + 4
            with ThreadPoolExecutor(16) as pool:
                tasks = [
                    pool.submit(stress, clients[path], back[path], f"{number}", end, number)
                    for number, path in enumerate(list(there) * 4)
                ]
                for task in tasks:
                    task.result(60)
            for path, client in clients.items():
                while not back[path].complete():
                    back[path].receive(client.recv(timeout=PATIENCE))
                client.close()
        finally:
            for client in clients.values():
                client.abort()
    for path, ledger in back.items():
        assert ledger.problems(ledger.sent) == there[path].problems(ledger.sent) == []
        assert sum(ledger.sent.values()) > 0


@pytest.mark.usefixtures("switching")
def test_last_words_always_arrive() -> None:
    """What one thread is about to write is not cut off by another one that sees that all is over."""
    lost = []
    with serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        for number in range(500):
            with socket.create_connection(address, PATIENCE) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if not sock.makefile("rb").read().startswith(b"HTTP/1.1 426 "):
                    lost.append(number)
        for number in range(300):
            client = connect(f"ws://127.0.0.1:{address[1]}/").connect()
            closing = threading.Thread(target=client.close, args=(4000,))
            closing.start()
            for connection in server.connections:
                connection.close(4000)
            closing.join(PATIENCE)
            if client.close_code != 4000:
                lost.append(number)
    assert lost == []


def use(client: Any, what: float) -> None:
    while True:
        if what < 0.3:
            client.recv()
        elif what < 0.6:
            client.send(CHUNK)
        elif what < 0.8:
            client.ping().wait()
        else:
            client.send(CHUNK for _ in range(10))


def end_suddenly(server: Any, client: Any, chance: random.Random) -> None:
    """Close or abort a connection, here or there."""
    how = chance.choice(["close", "abort", "close there", "abort there"])
    if how.endswith("there"):
        path = client.request.path
        others = [connection for connection in server.connections if connection.request.path == path]
        for connection in others:
            getattr(connection, how.split()[0])()
    else:
        getattr(client, how)()
    client.close()
    client.wait_closed(PATIENCE)


@pytest.mark.usefixtures("switching")
def test_threads_that_end_connections_at_any_moment_harm_nobody() -> None:
    """Close and abort come from either side, in the middle of everything: all calls end, with `ConnectionClosed`."""

    def work(seed: int) -> list[str]:
        chance, wrong = random.Random(seed), []
        end = time.monotonic() + 3
        while time.monotonic() < end:
            client = connect(f"{uri}/{seed}", close_timeout=2, compression=None).connect()
            with ThreadPoolExecutor(2) as pool:
                tasks = [pool.submit(use, client, chance.random()) for _ in range(2)]
                time.sleep(chance.choice([0, 0.0005, 0.003]))
                end_suddenly(server, client, chance)
                errors = [task.exception(PATIENCE) for task in tasks]
            wrong += [repr(exc) for exc in errors if not isinstance(exc, (ConnectionClosed, ConcurrencyError))]
        return wrong

    def echo(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, "127.0.0.1", 0, close_timeout=2, compression=None) as server:
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with ThreadPoolExecutor(4) as pool:
            assert [task.result(60) for task in [pool.submit(work, seed) for seed in range(4)]] == [[]] * 4
