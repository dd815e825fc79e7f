"use strict";

const COLORS = ["#1c2230", "#d32f2f", "#e68a00", "#2e7d32", "#1976d2", "#7b3fb5"];
const FIRST_DELAY = 500, LAST_DELAY = 15000; // milliseconds from one attempt to the next

const element = (id) => document.getElementById(id);
const canvas = document.querySelector("canvas");
const pen = canvas.getContext("2d");
pen.lineWidth = 4;
pen.lineCap = "round";

let socket, delay = FIRST_DELAY;
let color = Math.floor(Math.random() * COLORS.length);
let last = null; // where the pointer was, while it is down

// Connecting, and connecting again

function connect() {
  socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
  socket.onopen = () => {
    delay = FIRST_DELAY;
    element("status").textContent = "Connected";
  };
  socket.onmessage = (event) => receive(JSON.parse(event.data));
  socket.onclose = () => {
    element("status").textContent = "Connection lost, trying again …";
    setTimeout(connect, delay * (0.5 + Math.random() / 2)); // not all at the same moment
    delay = Math.min(2 * delay, LAST_DELAY);
  };
}

function send(wish) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wish));
}

// What the server says

function receive({ board, draw, people }) {
  if (board) {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    board.forEach(line);
  }
  if (draw) line(draw);
  if (people) element("people").textContent = people.join(", ");
}

function line([x0, y0, x1, y1, index]) {
  pen.strokeStyle = COLORS[index];
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

// What the reader does

function place(event) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const scale = (part) => Math.max(0, Math.min(999, Math.floor(part * 1000)));
  return [scale((event.clientX - left) / width), scale((event.clientY - top) / height)];
}

function follow(event) {
  if (!last) return;
  const now = place(event);
  send({ draw: [...last, ...now, color] });
  last = now;
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  last = place(event);
  follow(event); // a click is a dot
});
canvas.addEventListener("pointermove", follow);
canvas.addEventListener("pointerup", () => { last = null; });
canvas.addEventListener("pointercancel", () => { last = null; });
element("clear").addEventListener("click", () => send({ clear: true }));
element("color").addEventListener("click", () => choose(color + 1));

function choose(index) {
  color = index % COLORS.length;
  element("color").style.color = COLORS[color];
}

choose(color);
connect();
