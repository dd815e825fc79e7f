"""Negotiation of permessage-deflate on both sides: RFC 7692 §5, §7.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from twoway.frames import (
    ClientExtensionFactory,
    Extension,
    ExtensionParameter,
    NegotiationError,
    ServerExtensionFactory,
)

from ._engines import choose_compressing
from ._extension import PerMessageDeflate, check_policy
from ._params import MAX_WINDOW_BITS, OfferedBits, Parameters, answer_offer, check_answer, check_bits, smallest_bits
from ._path import Decide
from ._presets import DEFAULT_THRESHOLD, Memory, get_preset, make_settings

_NAME = PerMessageDeflate.name


class _Codec:
    """What both factories hand on to the extensions that they make."""

    def __init__(
        self, own_bits: int | None, compress_settings: Mapping[str, Any] | None, memory: Memory, threshold: int,
        decide: Decide | None, engine: str | None,
    ) -> None:  # fmt: skip
        preset = get_preset(memory)
        check_policy(threshold, decide)
        self.window_bits = preset.window_bits
        self.own_bits = preset.window_bits if own_bits is None else own_bits
        self.compress_settings = dict(compress_settings or {})
        self.memory = memory
        self.threshold = threshold
        self.decide = decide
        self.engine = engine
        # A wrong argument is reported here, and not in the middle of a handshake.
        make_settings(
            choose_compressing(engine, preset.engines, self.own_bits), self.own_bits, preset, compress_settings
        )

    def make(
        self, remote_forgets: bool, local_forgets: bool, remote: OfferedBits, local: OfferedBits
    ) -> PerMessageDeflate:
        return PerMessageDeflate(
            remote_forgets,
            local_forgets,
            smallest_bits(remote),
            smallest_bits(local, self.own_bits),
            self.compress_settings,
            memory=self.memory,
            threshold=self.threshold,
            decide=self.decide,
            engine=self.engine,
        )


class ClientPerMessageDeflateFactory(ClientExtensionFactory):
    """
    Offer permessage-deflate to a server.

    Args:
        server_no_context_takeover: Whether the server must forget what it sent at the end of each message.
        client_no_context_takeover: Whether this side does, and tells the server so.
        server_max_window_bits: Largest window of the server's compressor, 8 to 15; None does not limit it. A server
            that cannot limit it declines the offer.
        client_max_window_bits: Largest window of this side's compressor, 8 to 15; True is the preset's, and the
            server may ask for less; None is the preset's, and the server may not.
        compress_settings: Any of ``level``, ``memLevel`` and ``strategy``, as the engine understands them; copied.
        memory: What a connection may cost: ``"low"``, ``"balanced"`` or ``"high"``.
        threshold: Messages below this size are not compressed unless the sender asks for it; bytes.
        decide: Called with opcode and payload of other messages; says whether to compress them.
        engine: ``"zlib"``, ``"zlib-ng"``, ``"isal"``, or None to let the preset choose.
        require_server_no_context_takeover: Whether to fail when the server takes an offer of it and leaves it out.
        require_server_max_window_bits: Whether to fail when the server takes an offer of it and leaves it out.

    Raises:
        TypeError: An argument is of a wrong type; a caller's bug.
        ValueError: An argument is out of range, or the engine is not installed; a caller's bug.

    Spec:
        RFC 7692 §5, §7.1.
    """

    name = _NAME

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | Literal[True] | None = True,
        compress_settings: Mapping[str, Any] | None = None,
        *,
        memory: Memory = "balanced",
        threshold: int = DEFAULT_THRESHOLD,
        decide: Decide | None = None,
        engine: str | None = None,
        require_server_no_context_takeover: bool = True,
        require_server_max_window_bits: bool = True,
    ) -> None:
        _check_optional_bits("server_max_window_bits", server_max_window_bits)
        own_bits = None if client_max_window_bits is True else client_max_window_bits
        _check_optional_bits("client_max_window_bits", own_bits)
        self._offer = Parameters(
            bool(server_no_context_takeover),
            bool(client_no_context_takeover),
            server_max_window_bits,
            client_max_window_bits,
        )
        self._required = bool(require_server_no_context_takeover), bool(require_server_max_window_bits)
        self._codec = _Codec(own_bits, compress_settings, memory, threshold, decide, engine)

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        """
        Make the parameters of the offer.

        Returns:
            Name and value pairs; the value is None where the parameter has none.

        Spec:
            RFC 7692 §7.1.
        """
        return self._offer.serialize()

    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> PerMessageDeflate:
        """
        Make the extension that the server's answer describes.

        Args:
            params: Parameters of the answer, in order; not kept.
            accepted_extensions: What has been agreed upon so far; not kept.

        Returns:
            The extension of this connection.

        Raises:
            NegotiationError: The answer is malformed or does not fit the offer; the server's fault.

        Spec:
            RFC 7692 §7.1.
        """
        _check_not_accepted(accepted_extensions)
        offer, answer = self._offer, Parameters.parse(params)
        check_answer(offer, answer, *self._required)
        return self._codec.make(
            answer.server_no_context_takeover,
            offer.client_no_context_takeover or answer.client_no_context_takeover,
            answer.server_max_window_bits,
            answer.client_max_window_bits,
        )


class ServerPerMessageDeflateFactory(ServerExtensionFactory):
    """
    Take or decline the offers of clients.

    Args:
        server_no_context_takeover: Whether this side forgets what it sent at the end of each message, also where the
            client does not ask for it.
        client_no_context_takeover: Whether the client must, also where it does not offer it.
        server_max_window_bits: Largest window of this side's compressor, 8 to 15; None is the preset's.
        client_max_window_bits: Largest window of the client's compressor, 8 to 15; None is the preset's. It can be
            asked only of a client that offers it.
        compress_settings: Any of ``level``, ``memLevel`` and ``strategy``, as the engine understands them; copied.
        require_client_max_window_bits: Whether to decline clients that cannot limit their window.
        memory: What a connection may cost: ``"low"``, ``"balanced"`` or ``"high"``.
        threshold: Messages below this size are not compressed unless the sender asks for it; bytes.
        decide: Called with opcode and payload of other messages; says whether to compress them.
        engine: ``"zlib"``, ``"zlib-ng"``, ``"isal"``, or None to let the preset choose.

    Raises:
        TypeError: An argument is of a wrong type; a caller's bug.
        ValueError: An argument is out of range, or the engine is not installed; a caller's bug.

    Spec:
        RFC 7692 §5, §7.1.
    """

    name = _NAME

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | None = None,
        compress_settings: Mapping[str, Any] | None = None,
        require_client_max_window_bits: bool = False,
        *,
        memory: Memory = "balanced",
        threshold: int = DEFAULT_THRESHOLD,
        decide: Decide | None = None,
        engine: str | None = None,
    ) -> None:
        _check_optional_bits("server_max_window_bits", server_max_window_bits)
        _check_optional_bits("client_max_window_bits", client_max_window_bits)
        self._codec = codec = _Codec(server_max_window_bits, compress_settings, memory, threshold, decide, engine)
        client_bits = codec.window_bits if client_max_window_bits is None else client_max_window_bits
        self._settings = Parameters(
            bool(server_no_context_takeover), bool(client_no_context_takeover), codec.own_bits, client_bits
        )
        self._required = bool(require_client_max_window_bits)

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[Sequence[ExtensionParameter], PerMessageDeflate]:
        """
        Answer one offer.

        Args:
            params: Parameters of the offer, in order; not kept.
            accepted_extensions: What has been agreed upon so far; not kept.

        Returns:
            The parameters of the answer, and the extension of this connection.

        Raises:
            NegotiationError: The offer is malformed or lacks what is required; the next one is tried.

        Spec:
            RFC 7692 §5.1, §7.1.
        """
        _check_not_accepted(accepted_extensions)
        offer = Parameters.parse(params)
        answer = answer_offer(offer, self._settings, self._required)
        client_bits = answer.client_max_window_bits
        extension = self._codec.make(
            answer.client_no_context_takeover,
            answer.server_no_context_takeover,
            client_bits,
            answer.server_max_window_bits,
        )
        return answer.serialize(), extension


def check_compression(compression: str | None) -> bool:
    """
    Check an argument that turns compression on or off.

    Args:
        compression: ``"deflate"`` or None.

    Returns:
        Whether permessage-deflate is wanted.

    Raises:
        ValueError: ``compression`` is something else; a caller's bug.
    """
    if compression not in ("deflate", None):
        raise ValueError(f"compression must be 'deflate' or None, not {compression!r}")
    return compression is not None


def enable_client_permessage_deflate(
    extensions: Sequence[ClientExtensionFactory] | None = None,
    *,
    memory: Memory = "balanced",
    threshold: int = DEFAULT_THRESHOLD,
    decide: Decide | None = None,
    engine: str | None = None,
) -> Sequence[ClientExtensionFactory]:
    """
    Add permessage-deflate to the extensions of a client.

    The first offer limits the server's window to the preset's; a second one, for servers that cannot limit it, does
    not.

    Args:
        extensions: Factories, the preferred one first; not changed.
        memory: What a connection may cost: ``"low"``, ``"balanced"`` or ``"high"``.
        threshold: Messages below this size are not compressed unless the sender asks for it; bytes.
        decide: Called with opcode and payload of other messages; says whether to compress them.
        engine: ``"zlib"``, ``"zlib-ng"``, ``"isal"``, or None to let the preset choose.

    Returns:
        The factories, and behind them those for permessage-deflate if there was none.

    Raises:
        TypeError: An argument is of a wrong type; a caller's bug.
        ValueError: An argument is out of range, or the engine is not installed; a caller's bug.

    Spec:
        RFC 7692 §5: several offers, in order of preference.
    """
    factories = list(extensions or ())
    if all(getattr(factory, "name", None) != _NAME for factory in factories):
        bits = get_preset(memory).window_bits
        factories += [
            ClientPerMessageDeflateFactory(
                server_max_window_bits=limit, memory=memory, threshold=threshold, decide=decide, engine=engine
            )
            for limit in ((bits, None) if bits < MAX_WINDOW_BITS else (None,))
        ]
    return factories


def enable_server_permessage_deflate(
    extensions: Sequence[ServerExtensionFactory] | None = None,
    *,
    memory: Memory = "balanced",
    threshold: int = DEFAULT_THRESHOLD,
    decide: Decide | None = None,
    engine: str | None = None,
) -> Sequence[ServerExtensionFactory]:
    """
    Add permessage-deflate to the extensions of a server.

    Args:
        extensions: Factories, the preferred one first; not changed.
        memory: What a connection may cost: ``"low"``, ``"balanced"`` or ``"high"``.
        threshold: Messages below this size are not compressed unless the sender asks for it; bytes.
        decide: Called with opcode and payload of other messages; says whether to compress them.
        engine: ``"zlib"``, ``"zlib-ng"``, ``"isal"``, or None to let the preset choose.

    Returns:
        The factories, and behind them one for permessage-deflate if there was none.

    Raises:
        TypeError: An argument is of a wrong type; a caller's bug.
        ValueError: An argument is out of range, or the engine is not installed; a caller's bug.
    """
    factories = list(extensions or ())
    if all(getattr(factory, "name", None) != _NAME for factory in factories):
        factories.append(
            ServerPerMessageDeflateFactory(memory=memory, threshold=threshold, decide=decide, engine=engine)
        )
    return factories


def _check_optional_bits(name: str, bits: int | None) -> None:
    if bits is not None:
        check_bits(name, bits)


def _check_not_accepted(accepted_extensions: Sequence[Extension]) -> None:
    # RFC 7692 §5: used once per connection; two would fight about RSV1 (RFC 6455 §9.1).
    if any(extension.name == _NAME for extension in accepted_extensions):
        raise NegotiationError("permessage-deflate was accepted already")
