"""All targets."""

from __future__ import annotations

from . import addresses, authentication, compression, connections, frames, headers, messages
from .target import CORPUS, Target

_HTTP = (
    b"GET / HTTP/1.1\r\n", b"HTTP/1.1 101 Switching Protocols\r\n", b"\r\n", b"\r\n\r\n", b": ",
    b"Host: example.com\r\n", b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    b"Sec-WebSocket-Version: 13\r\n", b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", b"HTTP/1.0",
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"Sec-WebSocket-Protocol: a\r\n", b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n", b"Origin: https://example.com\r\n", b"100", b"200", b"204", b"407",
)  # fmt: skip
_LISTS = (b", ", b"; ", b"=", b'"', b"\\", b"\n", b"\t")
_DEFLATE = (
    b"permessage-deflate", b"server_no_context_takeover", b"client_no_context_takeover", b"server_max_window_bits",
    b"client_max_window_bits", b"=8", b"=15",
)  # fmt: skip
_AUTH = (
    b"Digest ", b"Basic ", b"Bearer ", b'realm="', b'nonce="', b'qop="auth"', b"algorithm=", b"SHA-256", b"MD5",
    b"-sess", b"stale=true", b"userhash=true", b'cnonce="c"', b"nc=00000001", b'uri="/"', b'response="',
    b"username*=UTF-8''", b"rspauth=", b'opaque="', b'username="Mufasa"', b'realm="twoway"',
)  # fmt: skip
_URI = (
    b"ws://", b"wss://", b"http://", b"https://", b"socks5://", b"socks5h://", b"@", b":80", b"[::1]", b"%", b"%25",
    b"..", b"//", b"?", b"#", b"xn--", b"127.0.0.1", b"localhost", b"\xc3\xa4", b"\xef\xbc\x8f", b"example.com",
)  # fmt: skip
_COOKIE = (b"; Domain=", b"; Path=/", b"; Secure", b"; Expires=", b"; Max-Age=", b"; Version=1", b"=", b'"')
_FRAMES = (
    b"\x81\x00", b"\x82\x7e\x00\x7e", b"\x01\x01a", b"\x80\x01b", b"\x00\x00", b"\x88\x02\x03\xe8", b"\x89\x00",
    b"\x8a\x00", b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
    b"\x82\x7f" + bytes(8), b"\xed\xa0\x80",
)  # fmt: skip

TARGETS = {
    target.name: target
    for target in (
        Target("request", messages.request, ("http",), _HTTP),
        Target("response", messages.response, ("http",), _HTTP),
        Target("tunnel", messages.tunnel, ("http",), _HTTP),
        Target("fields", messages.fields, ("http",), _HTTP),
        Target("extensions", headers.extensions, ("http", "deflate"), (*_LISTS, *_DEFLATE)),
        Target("subprotocols", headers.subprotocols, ("http",), (*_LISTS, b"chat", b"superchat"), max_length=128),
        Target("host", headers.host, ("http",), _URI, max_length=96),
        Target("uri", addresses.uri, ("http",), _URI, max_length=300),
        Target("proxy", addresses.proxy, ("http",), _URI, max_length=160),
        Target("redirect", addresses.redirect, ("auth", "http"), _URI),
        Target("cookies", addresses.cookies, ("auth",), _COOKIE),
        Target("challenges", authentication.challenges, ("auth",), (*_LISTS, *_AUTH)),
        Target("confirmation", authentication.confirmation, ("auth",), (*_LISTS, *_AUTH)),
        Target("authorization", authentication.authorization, ("auth",), (*_LISTS, *_AUTH)),
        Target("credentials", authentication.credentials, ("auth",), (b"\n", b":", b"e\xcc\x81", b"\xc3\xa9")),
        Target("frames", frames.frames, ("frames",), _FRAMES, max_length=160),
        Target("text", frames.text, ("frames",), _FRAMES, max_length=64),
        Target("payloads", frames.payloads, ("frames",), (b"\x03\xe8", b"\x0b\xb8", b"\xed\xa0\x80"), max_length=130),
        Target("inflate", compression.inflate, ("deflate",), (b"\x00\x00\xff\xff", b"\x03\x00", b"\x00")),
        Target("deflate", compression.deflate, ("deflate",), max_length=200),
        Target("server", connections.server, ("protocol", "frames"), (*_HTTP, *_FRAMES), max_length=320),
        Target("client", connections.client, ("protocol", "frames"), (*_HTTP, *_FRAMES), max_length=320),
        # The same promises of what the compiled path does with bytes and calls; only the rest shows its branches.
        Target(
            "server-compiled",
            connections.server,
            ("protocol",),
            (*_HTTP, *_FRAMES),
            compiled=True,
            folder=CORPUS / "server",
            max_length=320,
        ),
        Target(
            "client-compiled",
            connections.client,
            ("protocol",),
            (*_HTTP, *_FRAMES),
            compiled=True,
            folder=CORPUS / "client",
            max_length=320,
        ),
        Target("heads", messages.heads, ("http",), _HTTP, compiled=True, folder=CORPUS / "request"),
        Target("twins", frames.twins, ("frames",), _FRAMES, compiled=True, folder=frames.SPEEDUPS / "corpus"),
    )
}
