// The WebSocket of the browser, driven from outside: functions to call, and `report` for what it receives.
"use strict";

const ends = new Map();

const toBase64 = async (blob) => {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
};
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

function openEnd(end, uri, subprotocols) {
  const socket = new WebSocket(uri, subprotocols);
  let chain = Promise.resolve(); // reading a Blob takes a while: keep the order
  const tell = (make) => (chain = chain.then(async () => report(JSON.stringify({ end, ...(await make()) }))));
  ends.set(end, socket);
  // Every other connection receives Blobs, the rest ArrayBuffers.
  socket.binaryType = end % 2 ? "blob" : "arraybuffer";
  socket.onmessage = ({ data }) =>
    tell(async () => (typeof data === "string" ? { text: data } : { base64: await toBase64(new Blob([data])) }));
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve({ subprotocol: socket.protocol || null, extensions: socket.extensions });
    socket.onclose = ({ code, reason, wasClean }) => {
      ends.delete(end);
      tell(() => ({ code, reason, wasClean }));
      reject(new Error("closed"));
    };
  });
}

const sendText = (end, text) => ends.get(end).send(text);
const sendBase64 = (end, base64) => {
  const bytes = fromBase64(base64);
  ends.get(end).send(end % 2 ? new Blob([bytes]) : bytes.buffer);
};
const closeEnd = (end, code, reason) => (code === null ? ends.get(end)?.close() : ends.get(end)?.close(code, reason));
