"""
Frames of the WebSocket protocol, without I/O and without dependencies: RFC 6455 §5 to §7.4.

| module | holds |
|---|---|
| `_codes` | opcodes and close codes, as data |
| `_frame` | `Frame`, and what a reader gets: `Fragment`, `Ping`, `Pong`, `Close` |
| `_record` | what makes these values |
| `_decoder` | bytes to frames (`FrameDecoder`) or to messages (`MessageDecoder`) |
| `_sinks` | where the pieces of a message are joined |
| `_encoder` | frames to bytes |
| `_mask` | masking and masking keys |
| `_utf8` | strict incremental UTF-8 |
| `_extension` | the interface of extensions and of their factories |
| `_errors` | what can be wrong, each with its close code |
| `_native` | whether compiled twins of all this are used |
"""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType

from ._codes import (
    CLOSE_CODE_MEANINGS,
    CONTROL_OPCODES,
    DATA_OPCODES,
    OK_CLOSE_CODES,
    CloseCode,
    Opcode,
    describe_close_code,
    is_valid_close_code,
)
from ._decoder import DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_SIZE, FrameDecoder, Item, MessageDecoder, check_limit
from ._encoder import encode_frame, encode_header, reserved_bits, serialize_frame
from ._errors import (
    FrameError,
    InvalidPayloadError,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    TooManyFragments,
)
from ._extension import ClientExtensionFactory, Extension, ExtensionParameter, ServerExtensionFactory
from ._frame import Close, Fragment, Frame, Ping, Pong, shorten
from ._mask import Buffer, apply_mask, new_masking_key
from ._native import IMPLEMENTATION, get_twins
from ._native import twins as _twins
from ._record import Record
from ._utf8 import Utf8Decoder, decode_utf8

__all__ = [
    "CLOSE_CODE_MEANINGS",
    "CONTROL_OPCODES",
    "DATA_OPCODES",
    "DEFAULT_MAX_FRAGMENTS",
    "DEFAULT_MAX_SIZE",
    "IMPLEMENTATION",
    "OK_CLOSE_CODES",
    "Buffer",
    "ClientExtensionFactory",
    "Close",
    "CloseCode",
    "Extension",
    "ExtensionParameter",
    "Fragment",
    "Frame",
    "FrameDecoder",
    "FrameError",
    "InvalidPayloadError",
    "Item",
    "MessageDecoder",
    "NegotiationError",
    "Opcode",
    "PayloadTooBig",
    "Ping",
    "Pong",
    "ProtocolError",
    "Record",
    "ServerExtensionFactory",
    "TooManyFragments",
    "Utf8Decoder",
    "apply_mask",
    "check_limit",
    "decode_utf8",
    "describe_close_code",
    "encode_frame",
    "encode_header",
    "get_twins",
    "is_valid_close_code",
    "new_masking_key",
    "reserved_bits",
    "serialize_frame",
    "shorten",
]

# What type checkers see above is what there is, compiled or not: the same names, arguments, results and errors.
globals().update(_twins)
for _name in __all__:
    if isinstance(globals()[_name], (type, FunctionType, BuiltinFunctionType)):
        globals()[_name].__module__ = __name__
