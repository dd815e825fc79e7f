"""Compression: the twins do what the references do, with good messages, bad ones and engines that fail."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import weakref
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoway.deflate import PerMessageDeflate, _deflater, _inflater, is_installed
from twoway.frames import (
    ClientExtensionFactory,
    Extension,
    ExtensionParameter,
    InvalidPayloadError,
    MessageDecoder,
    Opcode,
    ServerExtensionFactory,
    encode_frame,
)
from twoway.protocol import ClientOptions, ClientProtocol, ServerOptions, ServerProtocol, SharedMessage
from twoway.protocol.testing import Pair, connected_pair

ENGINES = [name for name in ("zlib", "zlib-ng", "isal") if is_installed(name)]
SIDES = (("remote", "local"), ("local", "remote"))
TEXT = b"a message that is long enough to be worth a reference: 0123456789"


class Reference(PerMessageDeflate):
    """The same without a twin: what overrides a method is left alone, and both halves are the references."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        preset, bits = self._deflater, self._parameters
        self._deflater = _deflater.Deflater(self._make, not bits[1], preset._keep_after, bits[3])
        self._inflater = _inflater.Inflater(self._inflater._engine, not bits[0], bits[2])

    def encode_payload(self, *args: Any) -> tuple[bytes, int]:
        return super().encode_payload(*args)

    def decode_payload(self, *args: Any) -> tuple[bytes, int]:
        return super().decode_payload(*args)


@pytest.fixture(autouse=True)
def _compiled(compiled: Any) -> None:
    """Skip where there is nothing to compare with."""


SETTINGS = st.fixed_dictionaries(
    {
        "remote_no_context_takeover": st.sampled_from([False, False, True]),
        "local_no_context_takeover": st.sampled_from([False, False, True]),
        "remote_max_window_bits": st.sampled_from([12, 9, 15]),
        "local_max_window_bits": st.sampled_from([12, 8, 9, 15]),
    },
    optional={
        "memory": st.sampled_from(["low", "balanced", "high"]),
        "threshold": st.sampled_from([0, 5, 2**80]),
        "engine": st.sampled_from(ENGINES),
    },
)
PAYLOADS = (
    st.text("abc é€😀", max_size=60).map(str.encode)
    | st.binary(max_size=60)
    | st.integers(0, 50).map(lambda number: TEXT[number:] * (number % 4))
    | st.sampled_from([b"", b"\xff", bytes(70_000), TEXT * 400, bytes(65_535), bytes(65_536)])
)
FLUSHES = st.sampled_from([zlib.Z_SYNC_FLUSH] * 4 + [zlib.Z_FULL_FLUSH, zlib.Z_FINISH])


@st.composite
def received(draw: st.DrawFn) -> list[bytes]:
    """Make frames, most of them compressed rightly."""
    compressor, frames = zlib.compressobj(wbits=-9), []
    for _ in range(draw(st.integers(1, 6))):
        payload, flush = draw(PAYLOADS), draw(FLUSHES)
        data = compressor.compress(payload) + compressor.flush(flush)
        if flush == zlib.Z_FINISH:
            compressor = zlib.compressobj(wbits=-9)
        elif data.endswith(b"\x00\x00\xff\xff"):
            data = data[:-4]
        match draw(st.sampled_from(["whole"] * 6 + ["cut", "changed", "longer", "fragments", "plain", "marked"])):
            case "cut":
                data = data[: draw(st.integers(0, len(data)))]
            case "changed" if data:
                at = draw(st.integers(0, min(len(data), 30) - 1))
                data = data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]
            case "longer":
                data += draw(st.binary(max_size=9))
            case "plain":
                frames.append(encode_frame(2, payload))
                continue
            case "fragments":
                middle = draw(st.integers(0, len(data)))
                frames.append(encode_frame(1, data[:middle], False, 0x40) + encode_frame(0, data[middle:]))
                continue
            case "marked":
                frames.append(encode_frame(1, b"", False, 0x40) + encode_frame(0, data, True, 0x40))
                continue
        frames.append(encode_frame(draw(st.sampled_from([1, 2, 2])), data, True, 0x40))
    return frames


@settings(deadline=None, max_examples=300)
@given(frames=received(), parameters=SETTINGS, limit=st.sampled_from([None, 0, 65, 1 << 16, 1 << 20, 2**70]))
def test_receiving(
    frames: list[bytes], parameters: dict[str, Any], limit: int | None, compiled: Any, pure: Any, run: Any
) -> None:
    expected = run(pure.MessageDecoder(extensions=[Reference(**parameters)], max_size=limit), frames)
    assert (
        run(compiled.MessageDecoder(extensions=[PerMessageDeflate(**parameters)], max_size=limit), frames) == expected
    )


class Offer(ClientExtensionFactory):
    """Use a certain extension, whatever the server answers."""

    name = "permessage-deflate"

    def __init__(self, extension: Extension) -> None:
        self.extension = extension

    def get_request_params(self) -> list[ExtensionParameter]:
        return []

    def process_response_params(self, params: object, accepted_extensions: object) -> Extension:
        return self.extension


class Answer(ServerExtensionFactory):
    """Use a certain extension, whatever the client offers."""

    name = "permessage-deflate"

    def __init__(self, extension: Extension) -> None:
        self.extension = extension

    def process_request_params(
        self, params: object, accepted_extensions: object
    ) -> tuple[list[ExtensionParameter], Extension]:
        return [], self.extension


def connect(client: Extension, server: Extension) -> Pair:
    return connected_pair(
        ClientOptions(ping_interval=None, extensions=[Offer(client)]),
        ServerOptions(ping_interval=None, extensions=[Answer(server)]),
    )


def decide(opcode: Opcode, data: bytes) -> Any:
    """Decide by the payload, and fail now and then."""
    assert isinstance(opcode, Opcode)
    if data.startswith(b"a") and len(data) % 5 == 0:
        raise LookupError(data)
    return len(data) % 3


def send(connection: ServerProtocol | ClientProtocol, step: tuple[Any, ...]) -> None:
    """Do one step of a test."""
    match step:
        case ("release",):
            connection.extensions[0].release()
        case ("shared", message, compress):
            connection.send_shared(SharedMessage(message, compress=compress))
        case ("parts", first, second, compress):
            connection.send_binary(first, False, compress=compress)
            connection.send_continuation(second)
        case (str() as message, compress):
            connection.send_text(message, compress=compress)
        case (message, compress):
            connection.send_binary(message, compress=compress)


WISHES = st.sampled_from([None, None, None, True, False])
BINARIES = PAYLOADS | PAYLOADS.map(bytearray) | PAYLOADS.map(memoryview)
STEPS = (
    st.tuples(st.text("abc \u00e9\u20ac\U0001f600", max_size=60) | PAYLOADS, WISHES)
    | st.tuples(st.sampled_from(["a" * 100, "b" * 61, "\ud800", "a\udfff" * 30, TEXT.decode() * 9]), WISHES)
    | st.tuples(st.just("parts"), BINARIES, BINARIES, WISHES)
    | st.tuples(st.just("shared"), PAYLOADS, WISHES)
    | st.just(("release",))
)


PARAMETERS = ("no_context_takeover", "max_window_bits")


@settings(deadline=None, max_examples=300)
@given(
    steps=st.lists(STEPS, max_size=8),
    parameters=SETTINGS,
    decision=st.sampled_from([None, decide]),
    from_client=st.booleans(),
)
def test_sending(
    steps: list[tuple[Any, ...]],
    parameters: dict[str, Any],
    decision: Any,
    from_client: bool,
    seen: Callable[..., object],
) -> None:
    mirrored = {f"{side}_{name}": parameters[f"{other}_{name}"] for name in PARAMETERS for side, other in SIDES}
    found = []
    for kind in (Reference, PerMessageDeflate):
        mine, theirs = kind(**parameters, decide=decision), PerMessageDeflate(**mirrored)
        pair = connect(mine, theirs) if from_client else connect(theirs, mine)
        me, taken = (pair.client, pair.server_events) if from_client else (pair.server, pair.client_events)
        output = []
        for step in steps:
            failure = seen(send, me, step)
            pair.exchange()
            output.append((failure, taken(), me.in_message, mine._compressing))
        found.append(output)
    assert found[1] == found[0]


def test_what_is_sent_is_equal() -> None:
    """Byte by byte, for keys of masks are in the way above."""
    found = []
    for kind in (Reference, PerMessageDeflate):
        pair = connect(PerMessageDeflate(False, False, 12, 12), kind(False, False, 12, 12))
        for number in range(50):
            send(pair.server, ((TEXT * 3)[number:].decode(), [None, True, False][number % 3]))
            send(pair.server, (bytes(number * 1000), None))
        found.append(pair.server.data_to_send())
    assert found[1] == found[0]
    assert sum(map(len, found[0])) < 10_000


# Engines that fail


class Stream:
    """Be a compressor and a decompressor that does one thing differently."""

    def __init__(self, name: str, act: Callable[..., Any]) -> None:
        self.name, self.act = name, act
        self.compressor, self.decompressor = zlib.compressobj(wbits=-12), zlib.decompressobj(wbits=-12)

    def __getattr__(self, name: str) -> Any:
        if name == self.name:
            return self.act
        return getattr(self.compressor if name in ("compress", "flush") else self.decompressor, name)


class Odd:
    """Be neither true nor false."""

    def __bool__(self) -> bool:
        raise LookupError


def fail(error: type[BaseException]) -> Callable[..., Any]:
    def act(*_: object) -> Any:
        raise error("so be it")

    return act


RESULTS = [lambda *_: 5, lambda *_: "text", lambda *_: b"", lambda *_: b"abc", lambda *_: b"0123456789" * 10]
FAILURES = [fail(error) for error in (LookupError, KeyboardInterrupt, MemoryError, zlib.error)]


@pytest.mark.parametrize("act", [*RESULTS, *FAILURES])
@pytest.mark.parametrize("name", ["compress", "flush"])
def test_compressors_that_fail(name: str, act: Callable[..., Any]) -> None:
    found = []
    for kind in (Reference, PerMessageDeflate):
        mine = kind(False, False, 12, 12)
        server = connect(PerMessageDeflate(False, False, 12, 12), mine).server
        for message in ("a" * 100, "b" * 100):
            server.send_text(message)
        stream: Any = Stream(name, act)
        mine._deflater._idle = stream
        try:
            server.send_text(TEXT.decode())
        except (Exception, KeyboardInterrupt) as exc:
            failure = type(exc)
            assert mine._deflater._idle is None
        else:
            failure = None
        mine.release()
        server.send_text(TEXT.decode())
        found.append((failure, server.data_to_send()))
    assert found[1] == found[0]


@pytest.mark.parametrize("act", [*RESULTS, *FAILURES, True, False, b"", b"more", None, Odd()])
@pytest.mark.parametrize("name", ["decompress", "eof", "unused_data", "make"])
def test_decompressors_that_fail(name: str, act: Any, compiled: Any) -> None:
    wire = encode_frame(2, zlib.compress(TEXT, wbits=-12), True, 0x40)
    found = []
    for kind in (Reference, PerMessageDeflate):
        mine = kind(False, False, 12, 12, engine="zlib")
        mine._inflater._make = act if name == "make" else lambda *_: Stream(name, act)
        decoder = compiled.MessageDecoder(extensions=[mine], max_size=500)
        try:
            result = decoder.feed(wire)
        except (Exception, KeyboardInterrupt) as exc:
            result = [type(exc)]
        error = decoder.error
        found.append((result, type(error), str(error), type(error and error.__cause__), mine._inflater._failed))
        # Whatever it was, nothing compressed is read after it.
        if error or isinstance(result[0], type):
            with pytest.raises(InvalidPayloadError):
                mine.decode_payload(2, b"", True, 0x40)
    assert found[1] == found[0]


def test_a_class_of_its_own_is_asked(compiled: Any) -> None:
    class Loud(PerMessageDeflate):
        def encode_payload(self, *args: Any) -> tuple[bytes, int]:
            calls.append("encode")
            return super().encode_payload(*args)

        def decode_payload(self, *args: Any) -> tuple[bytes, int]:
            calls.append("decode")
            return super().decode_payload(*args)

    calls: list[str] = []
    pair = connect(Loud(False, False, 12, 12), Loud(False, False, 12, 12))
    pair.client.send_text("a" * 100)
    pair.exchange()
    assert pair.server_events() == ["a" * 100]
    assert calls == ["encode", "decode"]


# What only C can do wrong


def give(stream: object, *_: object) -> Any:
    return stream


def everything() -> None:
    """Go through the twins, with their errors."""
    for parameters in ((False, False, 12, 12), (True, True, 15, 9)):
        pair = connect(PerMessageDeflate(*parameters), PerMessageDeflate(*parameters[:2], *parameters[:1:-1]))
        for sender in (pair.client, pair.server):
            for message in (b"a" * 100, "\u00e9" * 100, bytes(100_000), b"short", TEXT, TEXT):
                send(sender, (message, None))
            send(sender, ("parts", TEXT, TEXT, None))
            with pytest.raises(ValueError, match="lone surrogates"):
                sender.send_text("\ud800")
        pair.exchange()
        assert len(pair.client_events()) == len(pair.server_events()) == 7
    for name in ("compress", "flush"):
        mine = PerMessageDeflate(False, False, 12, 12)
        server = connect(PerMessageDeflate(False, False, 12, 12), mine).server
        for act in (None, *RESULTS[:2], *FAILURES[:3]):
            if act is not None:
                mine._deflater._idle = Stream(name, act)  # type: ignore[assignment]
            with contextlib.suppress(TypeError, LookupError, MemoryError, KeyboardInterrupt):
                server.send_text(TEXT.decode())
    for name in ("decompress", "eof", "unused_data"):
        for act in (None, *RESULTS, *FAILURES, Odd()):
            mine = PerMessageDeflate(False, False, 12, 12, engine="zlib")
            mine._inflater._make = partial(give, Stream(name, act))  # type: ignore[assignment]
            with contextlib.suppress(TypeError, LookupError, MemoryError, KeyboardInterrupt):
                MessageDecoder(extensions=[mine]).feed(encode_frame(2, zlib.compress(TEXT, wbits=-12), True, 0x40))


def test_nothing_is_left_behind(leaves_nothing: Callable[[Callable[[], None], int], None]) -> None:
    leaves_nothing(everything, 10)


def test_references_to_what_is_used_are_given_back() -> None:
    mine = PerMessageDeflate(False, False, 12, 12)
    pair = connect(PerMessageDeflate(False, False, 12, 12), mine)
    text, payload = TEXT.decode() * 2, bytes(1000)
    pair.server.send_text(text)
    pair.server.send_text(text)
    inflater, deflater = mine._inflater, mine._deflater
    things = [text, payload, mine, inflater, deflater, inflater._history, deflater._idle, inflater._make, None, True]
    before = [sys.getrefcount(thing) for thing in things]
    for _ in range(100):
        pair.server.send_text(text)
        pair.server.send_binary(payload, compress=True)
        pair.client.send_binary(payload)
        pair.exchange()
        pair.client_events()
        pair.server_events()
    after = [sys.getrefcount(thing) for thing in things]
    assert all(abs(new - old) < 20 for new, old in zip(after, before, strict=True))


def test_cycles_are_collected() -> None:
    gc.collect()
    references = []
    for place in ("_decide", "_deflater._active", "_deflater._make", "_inflater._stream", "_inflater._make"):
        mine: Any = PerMessageDeflate(False, False, 12, 12)
        path, _, name = place.rpartition(".")
        holder = getattr(mine, path) if path else mine
        setattr(holder, name, lambda *_, mine=mine: mine)
        references.append(weakref.ref(mine))
        del mine, holder
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)


def test_what_was_not_initialized_is_no_crash(compiled: Any) -> None:
    empty: Any = PerMessageDeflate.__new__(PerMessageDeflate)
    half: Any = PerMessageDeflate(False, False, 12, 12)
    half._inflater = type(half._inflater).__new__(type(half._inflater))
    half._deflater = type(half._deflater).__new__(type(half._deflater))
    other: Any = PerMessageDeflate(False, False, 12, 12)
    other._inflater, other._deflater = object(), object()
    for mine in (empty, half, other):
        with pytest.raises(AttributeError):
            compiled.MessageDecoder(extensions=[mine]).feed(encode_frame(2, b"abc", True, 0x40))
        server = connect(PerMessageDeflate(False, False, 12, 12), mine).server
        with pytest.raises(AttributeError):
            server.send_text("a" * 100, compress=True)


def test_one_thread_sends_one_receives_and_one_releases() -> None:
    mine = PerMessageDeflate(False, False, 12, 12, engine="zlib")
    pair = connect(PerMessageDeflate(False, False, 12, 12), mine)
    messages = [TEXT * (1 + number % 9) for number in range(300)]
    for message in messages:
        pair.client.send_binary(message)
    wires = pair.client.data_to_send()
    decoder = MessageDecoder(extensions=[mine])
    done = threading.Event()

    def receive() -> list[object]:
        return [item for wire in wires for item in decoder.feed(wire)]

    def release() -> None:
        while not done.is_set():
            mine.release()

    with ThreadPoolExecutor() as threads:
        released, received = threads.submit(release), threads.submit(receive)
        for message in messages:
            pair.server.send_binary(message)
        assert received.result() == messages
        done.set()
        released.result()
    pair.exchange()
    assert pair.client_events() == messages


def test_threads_that_should_have_a_lock_get_wrong_results_at_worst() -> None:
    mine = PerMessageDeflate(False, False, 12, 12)
    server = connect(PerMessageDeflate(False, False, 12, 12), mine).server
    wire = encode_frame(2, zlib.compress(TEXT * 50, wbits=-12), True, 0x40)
    odd: list[BaseException] = []

    def work(number: int) -> None:
        for _ in range(200):
            try:
                server.send_binary(TEXT * number)
                MessageDecoder(extensions=[mine]).feed(wire)
                mine.close()
                mine._inflater._failed = False
            except BaseException as exc:
                odd.append(exc)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(1, 5)))
    assert odd == []
