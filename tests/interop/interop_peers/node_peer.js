// The peer `ws`, driven by lines of JSON: {id, do, ...} comes in on stdin, {id, result} or {id, error} goes out.
// What the library receives goes out as {event, end, ...}. Ends when stdin does.
"use strict";

const https = require("node:https");
const http = require("node:http");
const fs = require("node:fs");
const readline = require("node:readline");
const { WebSocket, WebSocketServer } = require(process.argv[2]);

const ends = new Map();
const servers = new Map();
let last = 0;

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const pack = (data, binary) => (binary ? { base64: data.toString("base64") } : { text: data.toString() });
const unpack = (m) => (m.base64 === undefined ? m.text : Buffer.from(m.base64, "base64"));

function add(socket) {
  const end = ++last;
  ends.set(end, socket);
  socket.on("message", (data, binary) => say({ event: "message", end, ...pack(data, binary) }));
  socket.on("pong", (data) => say({ event: "pong", end, base64: data.toString("base64") }));
  socket.on("close", (code, reason) => {
    ends.delete(end);
    say({ event: "close", end, code, reason: reason.toString() });
  });
  socket.on("error", () => {}); // "close" follows
  return { end, subprotocol: socket.protocol || null, extensions: socket.extensions };
}

const compression = (deflate) => {
  if (!deflate) return false;
  const names = {
    server_no_context_takeover: "serverNoContextTakeover",
    client_no_context_takeover: "clientNoContextTakeover",
    server_max_window_bits: "serverMaxWindowBits",
    client_max_window_bits: "clientMaxWindowBits",
  };
  const options = { threshold: 0 };
  for (const [name, value] of Object.entries(deflate)) options[names[name]] = value;
  return options;
};

const actions = {
  connect({ uri, subprotocols, deflate, maxSize, authority, origin, headers }) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(uri, subprotocols, {
        perMessageDeflate: compression(deflate),
        maxPayload: maxSize,
        ca: authority && fs.readFileSync(authority),
        origin: origin || undefined,
        headers,
      });
      let status = 0;
      // Before "open", for a message may come with the answer to the handshake.
      const known = add(socket);
      socket.on("open", () => resolve({ ...known, subprotocol: socket.protocol || null, extensions: socket.extensions }));
      socket.on("unexpected-response", (request, response) => {
        status = response.statusCode;
        request.destroy();
        reject({ status });
      });
      socket.on("error", (error) => reject({ status, message: String(error) }));
    });
  },
  listen({ subprotocols, deflate, maxSize, chain, key, refusal }) {
    const tls = chain && { cert: fs.readFileSync(chain), key: fs.readFileSync(key) };
    const listening = tls ? https.createServer(tls) : http.createServer();
    const server = new WebSocketServer({
      server: listening,
      perMessageDeflate: compression(deflate),
      maxPayload: maxSize,
      verifyClient: (info, decide) => decide(!refusal, refusal, "No.\n"),
      handleProtocols: (offered) => subprotocols.find((one) => offered.has(one)) || false,
    });
    const id = ++last;
    servers.set(id, { server, listening });
    server.on("connection", (socket) => say({ event: "accepted", server: id, ...add(socket) }));
    return new Promise((resolve) => {
      listening.listen(0, "127.0.0.1", () => resolve({ server: id, port: listening.address().port }));
    });
  },
  stop({ server: id }) {
    const { server, listening } = servers.get(id);
    servers.delete(id);
    for (const socket of server.clients) socket.terminate();
    server.close();
    return new Promise((resolve) => listening.close(() => resolve(null)));
  },
  send({ end, fin, ...message }) {
    const data = unpack(message);
    return new Promise((resolve, reject) => {
      ends.get(end).send(data, { fin }, (error) => (error ? reject({ message: String(error) }) : resolve(null)));
    });
  },
  ping: ({ end, base64 }) => ends.get(end).ping(Buffer.from(base64, "base64")),
  close: ({ end, code, reason }) => (code === null ? ends.get(end)?.close() : ends.get(end)?.close(code, reason)),
  terminate: ({ end }) => ends.get(end).terminate(),
};

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { id, do: action, ...rest } = JSON.parse(line);
  try {
    say({ id, result: (await actions[action](rest)) ?? null });
  } catch (error) {
    say({ id, error: error instanceof Error ? { message: String(error.stack) } : error });
  }
});
lines.on("close", () => process.exit(0));
