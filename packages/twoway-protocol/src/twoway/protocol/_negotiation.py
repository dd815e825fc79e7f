"""Which extensions fit together."""

from __future__ import annotations

from collections.abc import Iterable

from twoway.frames import Extension


def shares_bits(extension: Extension, accepted: Iterable[Extension]) -> bool:
    """
    Tell whether an extension gives a meaning to a reserved bit that has one already.

    Nobody could say whose bit it is in a frame.

    Args:
        extension: The extension that is about to be accepted.
        accepted: What has been agreed upon so far.

    Returns:
        Whether some kind of frame has a bit that is claimed twice.

    Spec:
        RFC 7692 §5: such extensions MUST NOT be accepted together; the client MUST fail the connection.
    """
    bits = extension.reserved_bits
    return any(bits.get(opcode, 0) & taken for other in accepted for opcode, taken in other.reserved_bits.items())
