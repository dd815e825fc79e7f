"""Masking: RFC 6455 §5.3."""

from __future__ import annotations

import os
from functools import cache
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

_KEY_SIZE = 4
_POOL_KEYS = 1024
_LARGE = 1024  # bytes; from here on tables are faster than arithmetic
_from_bytes = int.from_bytes

# list.pop() and list.extend(list) are atomic with and without the GIL, so threads share the pool without a lock.
_pool: list[bytes] = []
if hasattr(os, "register_at_fork"):
    # A forked child must not use the keys that its parent is going to use (RFC 6455 §10.3: unpredictable).
    os.register_at_fork(after_in_child=_pool.clear)


def apply_mask(data: Buffer, key: Buffer, offset: int = 0) -> bytes:
    """
    XOR a payload with a masking key; masking and unmasking are the same call.

    Args:
        data: Payload; any length, bytes; read only, not kept.
        key: Masking key; exactly 4 bytes; read only, not kept.
        offset: Index of ``data[0]`` in the whole payload; bytes, >= 0.

    Returns:
        A new object, as long as the payload.

    Raises:
        ValueError: ``key`` is not 4 bytes long, or ``offset`` is negative. A caller's bug, never the peer's.

    Spec:
        RFC 6455 §5.3.

    Cost:
        Linear; one big-integer XOR, or four passes of ``bytes.translate`` over a quarter each of a large payload.
    """
    # Once for each frame of a client, and nearly always for bytes and from the beginning.
    if not isinstance(data, bytes):
        data = flatten(data)
    if not isinstance(key, bytes):
        key = bytes(memoryview(key))
    if len(key) != _KEY_SIZE:
        raise ValueError(f"key must be 4 bytes long, not {len(key)}")
    if offset:
        if offset < 0:
            raise ValueError(f"offset must be >= 0, not {offset}")
        turn = offset % _KEY_SIZE
        key = key[turn:] + key[:turn]
    return xor(data, key)


def xor(data: Buffer, key: bytes) -> bytes:
    """Do what `apply_mask` does, for whoever has the bytes of a frame from the first on, and the 4 of its key."""
    size = len(data)
    if size >= _LARGE:
        return _translate(data, key)
    repeated = (key * (size // _KEY_SIZE + 1))[:size]
    return (_from_bytes(data, "little") ^ _from_bytes(repeated, "little")).to_bytes(size, "little")


def _translate(data: Buffer, key: bytes) -> bytes:
    result = bytearray(data)
    for turn, byte in enumerate(key):
        result[turn::_KEY_SIZE] = result[turn::_KEY_SIZE].translate(_table(byte))
    return bytes(result)


@cache
def _table(byte: int) -> bytes:
    """Make what XOR with a byte of a key gives for each byte; all the tables together are 64 KiB."""
    return xor(bytes(range(256)), bytes([byte]) * _KEY_SIZE)


def new_masking_key() -> bytes:
    """
    Take a fresh masking key from the operating system's strong source.

    Returns:
        4 random bytes, never handed out twice in this process or in a forked child.

    Spec:
        RFC 6455 §5.3, §10.3: a new, unpredictable key for each frame.

    Cost:
        One system call per 1,024 keys.
    """
    try:
        return _pool.pop()
    except IndexError:
        fresh = os.urandom(_KEY_SIZE * _POOL_KEYS)
        _pool.extend([fresh[i : i + _KEY_SIZE] for i in range(_KEY_SIZE, len(fresh), _KEY_SIZE)])
        return fresh[:_KEY_SIZE]


def flatten(data: Buffer) -> Buffer:
    """Give a buffer whose items are its bytes, a copy only if ``data`` is a memory view of another shape."""
    if isinstance(data, memoryview) and not (data.format == "B" and data.ndim == 1 and data.c_contiguous):
        return data.tobytes()
    return data
