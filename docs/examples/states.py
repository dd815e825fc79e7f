"""The life of a connection step by step, seen from both sides; nothing here is sent over a network."""

from __future__ import annotations

from twoway.http import Request
from twoway.protocol import ClientOptions, ClientProtocol, ServerOptions, ServerProtocol

client = ClientProtocol("ws://example.com/", ClientOptions(), now=0.0)
server = ServerProtocol(ServerOptions(), now=0.0)


def show(step: str) -> None:
    ended = [name for name, side in (("client", client), ("server", server)) if side.half_close]
    print(f"{step:<42} {client.state.name:<11}{server.state.name:<11}{', '.join(ended) or '-'}")


def carry(source: ClientProtocol | ServerProtocol, target: ClientProtocol | ServerProtocol) -> None:
    for data in source.data_to_send():
        target.receive_data(data, now=0.0)


print(f"{'step':<42} {'client':<11}{'server':<11}ends its side of TCP")
show("the beginning")
client.send_request(client.connect())
carry(client, server)
show("the request has come")
(request,) = server.events()
assert isinstance(request, Request)
server.send_response(server.accept(request), now=0.0)
show("the server has accepted it")
carry(server, client)
show("the client knows")
client.close(1000, "done", now=0.0)
show("the client has sent a Close frame")
carry(client, server)
show("the server has answered with another one")
carry(server, client)
show("the client has got the answer")
client.receive_eof(now=0.0)
show("the client sees that the server has ended")
server.receive_eof(now=0.0)
show("the server sees that the client has ended")
