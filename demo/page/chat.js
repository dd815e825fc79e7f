"use strict";

// The messages are described in room.py. Whatever others wrote becomes text, never markup: textContent only.

const REFUSED = 4000; // close code: trying again is no use, the reason says why
const FIRST_DELAY = 500, LAST_DELAY = 15000; // milliseconds from one attempt to the next

const element = (id) => document.getElementById(id);
const log = element("log");

let socket = null;
let me = "";
let joined = false; // whether we have been in the room: then a lost connection is made again
let delay = FIRST_DELAY;
let last = ""; // what we said last; it comes back when it is refused

// Connecting, and connecting again

function connect() {
  setStatus("waiting", "Connecting …");
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(`${scheme}//${location.host}/ws`);
  socket.onopen = () => send({ type: "join", name: me });
  socket.onmessage = (event) => receive(JSON.parse(event.data));
  socket.onclose = (event) => lose(event.code, event.reason);
}

function lose(code, reason) {
  socket = null;
  setSending(false);
  if (code === REFUSED || !joined) {
    joined = false;
    showRoom(false);
    setStatus("offline", "Not connected");
    element("join-error").textContent = reason || "The server does not answer.";
    return;
  }
  const wait = delay * (0.5 + Math.random() / 2); // not all at the same moment
  delay = Math.min(delay * 2, LAST_DELAY);
  setStatus("waiting", `Connection lost; trying again in ${Math.ceil(wait / 1000)} s`);
  setTimeout(connect, wait);
}

function send(message) {
  socket.send(JSON.stringify(message));
}

// What the server says

const handlers = {
  welcome({ name, people, history }) {
    me = name;
    joined = true;
    delay = FIRST_DELAY;
    sessionStorage.setItem("name", name);
    log.replaceChildren(...history.map(lineOf)); // all of it is here again after a reconnection
    addNotice(`You are ${name}.`);
    showPeople(people);
    showRoom(true);
    setSending(true);
    setStatus("online", "Connected");
  },
  said(line) {
    add(lineOf(line), line.name === me);
    if (line.name === me) element("error").textContent = last = "";
  },
  joined({ name, people }) {
    addNotice(`${name} joined.`);
    showPeople(people);
  },
  left({ name, people }) {
    addNotice(`${name} left.`);
    showPeople(people);
  },
  error({ text }) {
    element("error").textContent = text;
    element("text").value ||= last;
  },
};

function receive(message) {
  handlers[message.type]?.(message);
}

// What the page shows

function lineOf({ name, text, at }) {
  const item = document.createElement("li");
  item.classList.toggle("mine", name === me);
  const time = make("time", "", new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  item.append(nameOf("span", name), time, make("span", "words", text));
  return item;
}

function nameOf(tag, name) {
  const result = make(tag, "name", name);
  const hash = [...name].reduce((sum, char) => Math.imul(sum ^ char.codePointAt(0), 16777619), 2166136261);
  result.style.setProperty("--hue", (hash >>> 8) % 360);
  return result;
}

function make(tag, className, text) {
  const result = document.createElement(tag);
  result.className = className;
  result.textContent = text;
  return result;
}

function add(item, scroll) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  log.append(item);
  if (atEnd || scroll) log.scrollTop = log.scrollHeight; // but leave alone who reads what was said before
}

function addNotice(text) {
  add(make("li", "notice", text), false);
}

function showPeople(people) {
  element("count").textContent = `(${people.length})`;
  element("people").replaceChildren(...people.map((name) => nameOf("li", name)));
}

function showRoom(shown) {
  const before = !element("room").hidden;
  element("room").hidden = !shown;
  element("join").hidden = shown;
  if (shown !== before) element(shown ? "text" : "name").focus();
  log.scrollTop = log.scrollHeight;
}

function setStatus(state, text) {
  element("status").dataset.state = state;
  element("status").textContent = text;
}

function setSending(possible) {
  element("say").querySelector("button").disabled = !possible;
}

// What people do

element("join").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket !== null) return;
  me = element("name").value;
  element("join-error").textContent = "";
  connect();
});

element("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = element("text").value;
  if (socket?.readyState !== WebSocket.OPEN || text.trim() === "") return; // what is typed stays
  send({ type: "say", text });
  last = text;
  element("text").value = "";
});

element("name").value = sessionStorage.getItem("name") ?? "";
