"""Offer, answer, and what both ends make of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from twoway.deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
    check_compression,
    enable_client_permessage_deflate,
    enable_server_permessage_deflate,
)
from twoway.frames import (
    ClientExtensionFactory,
    Extension,
    ExtensionParameter,
    Frame,
    NegotiationError,
    Opcode,
    ServerExtensionFactory,
)

Client, Server = ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory


def parameters(text: str) -> list[ExtensionParameter]:
    """Read ``a; b=1``."""
    pairs = (part.strip().partition("=") for part in text.split(";") if part.strip())
    return [(name, value or None) for name, _, value in pairs]


def text(params: Sequence[ExtensionParameter]) -> str:
    return "; ".join(name if value is None else f"{name}={value}" for name, value in params)


def summary(extension: PerMessageDeflate) -> tuple[bool, bool, int, int]:
    return (
        extension.remote_no_context_takeover,
        extension.local_no_context_takeover,
        extension.remote_max_window_bits,
        extension.local_max_window_bits,
    )


# The table of docs/explanation/compression.md: options of the server, offer, answer, (remote and local no context
# takeover, remote and local window bits) of the server.
ANSWERS = [
    ({}, "", "server_max_window_bits=12", (False, False, 15, 12)),
    (
        {},
        "client_max_window_bits",
        "server_max_window_bits=12; client_max_window_bits=12",
        (False, False, 12, 12),
    ),
    (
        {},
        "client_max_window_bits=10",
        "server_max_window_bits=12; client_max_window_bits=10",
        (False, False, 10, 12),
    ),
    ({}, "server_max_window_bits=10", "server_max_window_bits=10", (False, False, 15, 10)),
    ({}, "server_max_window_bits=8", "server_max_window_bits=8", (False, False, 15, 8)),
    ({}, "server_max_window_bits=15", "server_max_window_bits=12", (False, False, 15, 12)),
    (
        {},
        "client_no_context_takeover; server_no_context_takeover",
        "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
        (True, True, 15, 12),
    ),
    (
        {"memory": "low"},
        "client_max_window_bits",
        "server_max_window_bits=11; client_max_window_bits=11",
        (False, False, 11, 11),
    ),
    ({"memory": "high"}, "client_max_window_bits", "", (False, False, 15, 15)),
    ({"memory": "high"}, "client_max_window_bits=15", "client_max_window_bits=15", (False, False, 15, 15)),
    ({"memory": "high"}, "server_max_window_bits=15", "server_max_window_bits=15", (False, False, 15, 15)),
    (
        {"server_no_context_takeover": True, "client_no_context_takeover": True},
        "",
        "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
        (True, True, 15, 12),
    ),
    (
        {"server_max_window_bits": 15, "client_max_window_bits": 15},
        "client_max_window_bits",
        "",
        (False, False, 15, 15),
    ),
    (
        {"server_max_window_bits": 9, "client_max_window_bits": 8},
        "client_max_window_bits; server_max_window_bits=14",
        "server_max_window_bits=9; client_max_window_bits=8",
        (False, False, 8, 9),
    ),
    (
        {"require_client_max_window_bits": True},
        "client_max_window_bits",
        "server_max_window_bits=12; client_max_window_bits=12",
        (False, False, 12, 12),
    ),
]


@pytest.mark.feature("negotiate extensions")
@pytest.mark.parametrize(("options", "offer", "answer", "expected"), ANSWERS)
def test_answers_of_a_server(
    options: dict[str, object], offer: str, answer: str, expected: tuple[bool, bool, int, int]
) -> None:
    factory = Server(**options)  # type: ignore[arg-type]
    for _ in range(2):  # a factory serves many connections
        params, extension = factory.process_request_params(parameters(offer), [])
        assert text(params) == answer
        assert summary(extension) == expected


@pytest.mark.parametrize(
    ("options", "offer"),
    [
        ({}, "unknown"),
        ({}, "server_max_window_bits"),
        ({}, "server_max_window_bits=7"),
        ({}, "server_max_window_bits=010"),
        ({}, "client_max_window_bits=16"),
        ({}, "client_no_context_takeover=1"),
        ({}, "client_max_window_bits; client_max_window_bits"),
        ({"require_client_max_window_bits": True}, ""),
    ],
)
def test_offers_that_are_declined(options: dict[str, object], offer: str) -> None:
    with pytest.raises(NegotiationError):
        Server(**options).process_request_params(parameters(offer), [])  # type: ignore[arg-type]


def test_of_several_offers_the_first_good_one_is_taken() -> None:
    """As the handshake does it: RFC 7692 §5."""
    server = Server()
    for offer in ("nonsense=1", "server_max_window_bits=99", "client_max_window_bits", ""):
        try:
            params, _ = server.process_request_params(parameters(offer), [])
            break
        except NegotiationError:
            continue
    assert text(params) == "server_max_window_bits=12; client_max_window_bits=12"


# Options of the client, its offer, an answer, (remote and local no context takeover, remote and local window bits).
OFFERS = [
    ({}, "client_max_window_bits", "", (False, False, 15, 12)),
    ({}, "client_max_window_bits", "client_max_window_bits=10", (False, False, 15, 10)),
    ({}, "client_max_window_bits", "client_max_window_bits=8", (False, False, 15, 8)),
    ({}, "client_max_window_bits", "client_max_window_bits=15", (False, False, 15, 12)),
    ({}, "client_max_window_bits", "server_max_window_bits=9", (False, False, 9, 12)),
    ({}, "client_max_window_bits", "client_no_context_takeover", (False, True, 15, 12)),
    ({}, "client_max_window_bits", "server_no_context_takeover", (True, False, 15, 12)),
    ({"memory": "high"}, "client_max_window_bits", "", (False, False, 15, 15)),
    ({"memory": "low"}, "client_max_window_bits", "client_max_window_bits=12", (False, False, 15, 11)),
    ({"client_max_window_bits": None}, "", "", (False, False, 15, 12)),
    ({"client_max_window_bits": 14}, "client_max_window_bits=14", "", (False, False, 15, 14)),
    ({"client_max_window_bits": 9}, "client_max_window_bits=9", "client_max_window_bits=8", (False, False, 15, 8)),
    (
        {"server_max_window_bits": 10},
        "server_max_window_bits=10; client_max_window_bits",
        "server_max_window_bits=9",
        (False, False, 9, 12),
    ),
    (
        {"server_no_context_takeover": True, "client_no_context_takeover": True, "client_max_window_bits": None},
        "server_no_context_takeover; client_no_context_takeover",
        "server_no_context_takeover",
        (True, True, 15, 12),
    ),
    (
        {"server_no_context_takeover": True, "require_server_no_context_takeover": False},
        "server_no_context_takeover; client_max_window_bits",
        "",
        (False, False, 15, 12),
    ),
    (
        {"server_max_window_bits": 10, "require_server_max_window_bits": False},
        "server_max_window_bits=10; client_max_window_bits",
        "",
        (False, False, 15, 12),
    ),
]


@pytest.mark.feature("negotiate extensions")
@pytest.mark.parametrize(("options", "offer", "answer", "expected"), OFFERS)
def test_offers_of_a_client(
    options: dict[str, object], offer: str, answer: str, expected: tuple[bool, bool, int, int]
) -> None:
    factory = Client(**options)  # type: ignore[arg-type]
    assert text(factory.get_request_params()) == offer
    assert summary(factory.process_response_params(parameters(answer), [])) == expected


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({}, "unknown"),
        ({}, "client_max_window_bits"),
        ({}, "server_max_window_bits=8; server_max_window_bits=8"),
        ({"client_max_window_bits": None}, "client_max_window_bits=12"),
        ({"client_max_window_bits": 12}, "client_max_window_bits=13"),
        ({"server_max_window_bits": 12}, ""),
        ({"server_max_window_bits": 12}, "server_max_window_bits=13"),
        ({"server_no_context_takeover": True}, ""),
    ],
)
def test_answers_that_fail_the_handshake(options: dict[str, object], answer: str) -> None:
    with pytest.raises(NegotiationError):
        Client(**options).process_response_params(parameters(answer), [])  # type: ignore[arg-type]


@pytest.mark.feature("negotiate extensions")
@pytest.mark.parametrize("client", OFFERS[7:])
@pytest.mark.parametrize("server", ANSWERS)
def test_whatever_our_ends_agree_upon_works(
    client: tuple[dict[str, object], str, str, object], server: tuple[dict[str, object], str, str, object]
) -> None:
    client_factory, server_factory = Client(**client[0]), Server(**server[0])  # type: ignore[arg-type]
    offer = client_factory.get_request_params()
    if server[0].get("require_client_max_window_bits") and ("client_max_window_bits", None) not in offer:
        return
    answer, at_server = server_factory.process_request_params(offer, [])
    at_client = client_factory.process_response_params(answer, [])
    for sender, receiver in ((at_client, at_server), (at_server, at_client)):
        assert sender.local_max_window_bits <= receiver.remote_max_window_bits
        assert sender.local_no_context_takeover >= receiver.remote_no_context_takeover
        for message in (b"compress me " * 2000, b"compress me " * 10, bytes(40000), b"compress me " * 2000):
            frame = sender.encode(Frame(Opcode.BINARY, message))
            assert receiver.decode(frame, max_size=len(message)).data == message


def test_options_reach_the_extension() -> None:
    options = {"threshold": 5, "decide": lambda opcode, data: opcode is Opcode.TEXT, "engine": "zlib"}
    made = [
        Client(**options).process_response_params([], []),  # type: ignore[arg-type]
        Server(**options).process_request_params([], [])[1],  # type: ignore[arg-type]
    ]
    for extension in made:
        assert extension.engine == extension.receiving_engine == "zlib"
        assert extension.encode(Frame(Opcode.TEXT, b"12345")).rsv1
        assert not extension.encode(Frame(Opcode.TEXT, b"1234")).rsv1
        assert not extension.encode(Frame(Opcode.BINARY, b"12345")).rsv1


@pytest.mark.parametrize("factory", [Client, Server])
@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        ({"server_max_window_bits": 7}, ValueError, "server_max_window_bits must be from 8 to 15"),
        ({"client_max_window_bits": 16}, ValueError, "client_max_window_bits must be from 8 to 15"),
        ({"server_max_window_bits": "10"}, TypeError, "server_max_window_bits must be an int"),
        ({"server_max_window_bits": True}, TypeError, "server_max_window_bits must be an int"),
        ({"client_max_window_bits": False}, TypeError, "client_max_window_bits must be an int"),
        ({"compress_settings": {"level": 77}}, ValueError, "compress_settings"),
        ({"compress_settings": {"wbits": 9}}, ValueError, "compress_settings"),
        ({"memory": "tiny"}, ValueError, "memory must be"),
        ({"threshold": -1}, ValueError, "threshold must be"),
        ({"decide": 1}, TypeError, "decide must be"),
        ({"engine": "zopfli"}, ValueError, "engine must be"),
    ],
)
def test_wrong_arguments_are_found_before_the_handshake(
    factory: type, options: dict[str, object], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        factory(**options)


def test_settings_are_copied() -> None:
    settings = {"level": 1}
    factory = Client(compress_settings=settings, engine="zlib")
    settings["level"] = 99
    factory.process_response_params([], [])


def test_it_is_not_negotiated_twice() -> None:
    extension = Client().process_response_params([], [])
    with pytest.raises(NegotiationError, match="accepted already"):
        Client().process_response_params([], [extension])
    with pytest.raises(NegotiationError, match="accepted already"):
        Server().process_request_params([], [extension])


class Other(ClientExtensionFactory, ServerExtensionFactory):
    name = "x-other"

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        raise NotImplementedError

    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> Extension:
        raise NotImplementedError

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[Sequence[ExtensionParameter], Extension]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("memory", "offers"),
    [
        ("low", ["server_max_window_bits=11; client_max_window_bits", "client_max_window_bits"]),
        ("balanced", ["server_max_window_bits=12; client_max_window_bits", "client_max_window_bits"]),
        ("high", ["client_max_window_bits"]),
    ],
)
def test_enable_on_a_client(memory: str, offers: list[str]) -> None:
    """A server that cannot limit its window must decline the first offer: it finds another one."""
    factories = enable_client_permessage_deflate(memory=memory)  # type: ignore[arg-type]
    assert [text(factory.get_request_params()) for factory in factories] == offers


def test_enable_on_a_server() -> None:
    (factory,) = enable_server_permessage_deflate(memory="low")
    answer, _ = factory.process_request_params([("client_max_window_bits", None)], [])
    assert text(answer) == "server_max_window_bits=11; client_max_window_bits=11"


def test_enable_keeps_what_is_there() -> None:
    other = Other()
    clients = enable_client_permessage_deflate([other])
    assert clients[0] is other
    assert [factory.name for factory in clients[1:]] == ["permessage-deflate"] * 2
    assert enable_client_permessage_deflate(clients) == clients
    servers = enable_server_permessage_deflate([other])
    assert [factory.name for factory in servers] == ["x-other", "permessage-deflate"]
    assert enable_server_permessage_deflate(servers) == servers
    assert len(enable_client_permessage_deflate(None)) == 2


def test_compression_is_deflate_or_nothing() -> None:
    assert check_compression("deflate") is True
    assert check_compression(None) is False
    for wrong in ("gzip", "", True, False):
        with pytest.raises(ValueError, match="compression must be 'deflate' or None"):
            check_compression(wrong)  # type: ignore[arg-type]
