from __future__ import annotations

from twoway.http import InvalidProxyStatus, Tunnel, choose_proxy, parse_uri

uri = parse_uri("wss://example.com/chat")
proxy = choose_proxy("http://user:secret@proxy.example:3128", uri)
assert proxy is not None
print("connect to", proxy.host, "port", proxy.port)

# Send this first, on that connection.
tunnel = Tunnel(uri.authority, proxy, {"X-Team": "blue"}, user_agent_header="example")
print(tunnel.request.decode(), end="")

# Feed what comes back, in any pieces.
assert tunnel.receive_data(b"HTTP/1.1 200 Connec") is None
response = tunnel.receive_data(b"tion established\r\n\r\n")
assert response is not None
print("open:", response.status_code)

# A proxy that refuses: the error says who refused, and where its address came from.
tunnel = Tunnel(uri.authority, proxy)
try:
    tunnel.receive_data(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nNot on duty.")
except InvalidProxyStatus as exc:
    print(exc)
    print(exc.response.body)
