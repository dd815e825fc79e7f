"""Offers and answers of permessage-deflate as data: RFC 7692 §7.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, TypeAlias

from twoway.frames import ExtensionParameter, NegotiationError, Record

#: Window bits in an offer: a number, True for "the server may limit me", None when the parameter is missing.
OfferedBits: TypeAlias = int | Literal[True] | None

MIN_WINDOW_BITS = 8
MAX_WINDOW_BITS = 15

# RFC 7692 §7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
_BITS: Mapping[str | None, int] = MappingProxyType(
    {str(bits): bits for bits in range(MIN_WINDOW_BITS, MAX_WINDOW_BITS + 1)}
)


class Parameters(Record):
    """
    Hold the parameters of one offer or answer.

    Args:
        server_no_context_takeover: Whether the parameter is there.
        client_no_context_takeover: Whether the parameter is there.
        server_max_window_bits: 8 to 15; None when the parameter is missing.
        client_max_window_bits: 8 to 15; True for the parameter without a value; None when it is missing.

    Spec:
        RFC 7692 §7.1.1, §7.1.2.
    """

    __slots__ = (
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
    )

    server_no_context_takeover: bool
    client_no_context_takeover: bool
    server_max_window_bits: int | None
    client_max_window_bits: OfferedBits

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: OfferedBits = None,
    ) -> None:
        super().__init__(
            server_no_context_takeover, client_no_context_takeover, server_max_window_bits, client_max_window_bits
        )

    @classmethod
    def parse(cls, params: Sequence[ExtensionParameter]) -> Parameters:
        """
        Read the parameters of an offer or answer.

        Args:
            params: Name and value pairs as received; not kept.

        Returns:
            The parameters; each of them is well-formed.

        Raises:
            NegotiationError: A parameter is unknown, comes twice or has an invalid value; the peer's fault.

        Spec:
            RFC 7692 §7: each of these MUST decline the offer, or fail the connection on the client.
        """
        values: dict[str, OfferedBits] = {}
        for name, value in params:
            if name not in _VALUES:
                raise NegotiationError(f"unknown parameter {name!a}")
            if name in values:
                raise NegotiationError(f"duplicate parameter {name}")
            if value not in _VALUES[name]:
                raise NegotiationError(f"invalid value {value!a} of parameter {name}")
            values[name] = _VALUES[name][value]
        return cls(**values)  # type: ignore[arg-type]  # the table has the right type for each

    def serialize(self) -> list[ExtensionParameter]:
        """
        Make the name and value pairs for the header.

        Returns:
            The parameters that are there, always in the same order.
        """
        pairs = ((name, getattr(self, name)) for name in _VALUES)
        return [(name, None if value is True else str(value)) for name, value in pairs if value]


# By parameter: what stands in the header -> what it means. Anything else is malformed.
_VALUES: Mapping[str, Mapping[str | None, OfferedBits]] = MappingProxyType(
    {
        "server_no_context_takeover": {None: True},
        "client_no_context_takeover": {None: True},
        "server_max_window_bits": _BITS,
        "client_max_window_bits": {**_BITS, None: True},
    }
)


def answer_offer(offer: Parameters, settings: Parameters, require_client_max_window_bits: bool = False) -> Parameters:
    """
    Answer an offer: the server's side of negotiation.

    Args:
        offer: What the client offered.
        settings: What the server wants; its window bits are numbers or None for no limit.
        require_client_max_window_bits: Whether to decline clients that cannot be told to limit their window.

    Returns:
        The parameters of the answer.

    Raises:
        NegotiationError: The offer is declined.

    Spec:
        RFC 7692 §7.1.1.1, §7.1.1.2, §7.1.2.1, §7.1.2.2.
    """
    if offer.client_max_window_bits is None:
        # RFC 7692 §7.1.2.2: a server MUST NOT answer with it unless the client offered it.
        client_bits = None
        limit = settings.client_max_window_bits
        if require_client_max_window_bits and limit is not None and limit < MAX_WINDOW_BITS:
            raise NegotiationError("required client_max_window_bits is not offered")
    else:
        client_bits = _smaller(offer.client_max_window_bits, settings.client_max_window_bits)
    return Parameters(
        offer.server_no_context_takeover or settings.server_no_context_takeover,
        offer.client_no_context_takeover or settings.client_no_context_takeover,
        _smaller(offer.server_max_window_bits, settings.server_max_window_bits),
        client_bits,
    )


def check_answer(
    offer: Parameters,
    answer: Parameters,
    require_server_no_context_takeover: bool = True,
    require_server_max_window_bits: bool = True,
) -> None:
    """
    Check the server's answer against the offer.

    Args:
        offer: What the client offered.
        answer: What the server answered.
        require_server_no_context_takeover: Whether to refuse an answer that ignores this offered parameter.
        require_server_max_window_bits: Whether to refuse an answer that ignores this offered parameter.

    Raises:
        NegotiationError: The answer does not fit the offer; the server's fault.

    Spec:
        RFC 7692 §7.1.1.1, §7.1.2.1, §7.1.2.2.
    """
    if require_server_no_context_takeover and offer.server_no_context_takeover > answer.server_no_context_takeover:
        raise NegotiationError("missing server_no_context_takeover")
    if answer.server_max_window_bits is None:
        # No window is larger than 15 bits, so an answer may be silent about these, and aiohttp's is.
        if require_server_max_window_bits and (offer.server_max_window_bits or MAX_WINDOW_BITS) < MAX_WINDOW_BITS:
            raise NegotiationError("missing server_max_window_bits")
    elif answer.server_max_window_bits > (offer.server_max_window_bits or MAX_WINDOW_BITS):
        raise NegotiationError("server_max_window_bits is larger than offered")
    if answer.client_max_window_bits is True:
        raise NegotiationError("client_max_window_bits without a value")
    if answer.client_max_window_bits is not None:
        if offer.client_max_window_bits is None:
            raise NegotiationError("client_max_window_bits was not offered")
        if answer.client_max_window_bits > _number(offer.client_max_window_bits):
            raise NegotiationError("client_max_window_bits is larger than offered")


def smallest_bits(*limits: OfferedBits) -> int:
    """
    Combine limits of a window.

    Args:
        limits: Numbers; None and True are no limit.

    Returns:
        The smallest limit; 15 when there is none.
    """
    return min(map(_number, limits))


def _number(bits: OfferedBits) -> int:
    return MAX_WINDOW_BITS if bits is None or bits is True else bits


def _smaller(offered: OfferedBits, wanted: OfferedBits) -> int | None:
    """What to answer: nothing where neither side asks for less than the largest window."""
    bits = smallest_bits(offered, wanted)
    return None if bits == MAX_WINDOW_BITS and offered in (None, True) else bits


def check_bits(name: str, bits: object) -> None:
    """
    Check an argument that is a number of window bits.

    Args:
        name: Name of the argument, for the error.
        bits: Anything; right is an integer from 8 to 15.

    Raises:
        TypeError: ``bits`` is not an integer; a caller's bug.
        ValueError: ``bits`` is out of range; a caller's bug.
    """
    if not isinstance(bits, int) or isinstance(bits, bool):
        raise TypeError(f"{name} must be an int from 8 to 15, not {type(bits).__name__}")
    if not MIN_WINDOW_BITS <= bits <= MAX_WINDOW_BITS:
        raise ValueError(f"{name} must be from 8 to 15, not {bits}")
