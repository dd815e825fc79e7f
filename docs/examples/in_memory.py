from __future__ import annotations

from twoway.http import Request
from twoway.protocol import ClientOptions, ClientProtocol, ServerOptions, ServerProtocol, State

client = ClientProtocol("ws://example.com/chat", ClientOptions(), now=0.0)
server = ServerProtocol(ServerOptions(), now=0.0)

# The opening handshake: the server's side decides about the request that it sees.
client.send_request(client.connect())
for data in client.data_to_send():
    server.receive_data(data, now=0.1)
(request,) = server.events()
assert isinstance(request, Request)
print("request for", request.path)
server.send_response(server.accept(request), now=0.1)
for data in server.data_to_send():
    client.receive_data(data, now=0.2)
print("client is", client.state.name)

# A message: bytes in, events out. A whole message is the str or bytes itself.
client.send_text("Hello")
wire = b"".join(client.data_to_send())
for byte in wire:  # in any pieces, here one byte at a time
    server.receive_data(bytes([byte]), now=0.3)
print(server.events())

# Time is an argument: twenty seconds later a ping is due, although nobody has waited.
due = client.next_deadline()
assert due is not None
client.handle_deadline(due)
print(f"at {due:.1f} s the client sends", len(b"".join(client.data_to_send())), "bytes: a ping")
assert client.state is State.OPEN
