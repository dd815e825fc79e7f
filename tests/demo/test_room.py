"""The logic of the chat room, without sockets."""

from __future__ import annotations

import json

import pytest

INVISIBLE = "\N{ZERO WIDTH SPACE}"


@pytest.fixture
def room_module(load):
    return load("room")


@pytest.fixture
def room(room_module):
    return room_module.Room()


@pytest.fixture
def join(room):
    """Let somebody join and forget the welcome."""

    def join(name, drop=lambda: None):
        member = room.join(json.dumps({"type": "join", "name": name}), drop)
        heard(member)
        return member

    return join


def say(text):
    return json.dumps({"type": "say", "text": text})


def heard(member):
    messages = []
    while not member.outbox.empty():
        messages.append(json.loads(member.outbox.get_nowait()))
    return messages


def test_newcomer_is_welcomed_and_the_others_are_told(room, join):
    ada = join("Ada")
    bob = room.join('{"type": "join", "name": " Bob  B. "}', lambda: None)
    assert heard(bob) == [{"type": "welcome", "name": "Bob B.", "people": ["Ada", "Bob B."], "history": []}]
    assert heard(ada) == [{"type": "joined", "name": "Bob B.", "people": ["Ada", "Bob B."]}]


def test_everybody_hears_a_line_with_its_time(room, join):
    ada, bob = join("Ada"), join("Bob")
    heard(ada)
    room.take(ada, say("  <i>Hi</i>\n"), 17.5)
    assert heard(ada) == heard(bob) == [{"type": "said", "name": "Ada", "text": "<i>Hi</i>", "at": 17.5}]


def test_who_leaves_is_announced_and_the_name_is_free_again(room, join):
    ada, bob = join("Ada"), join("Bob")
    room.leave(ada)
    assert heard(bob) == [{"type": "left", "name": "Ada", "people": ["Bob"]}]
    join("Ada")
    assert room.people == ["Bob", "Ada"]


@pytest.mark.parametrize("name", ["Ada", "ADA", "ada", " Ada ", "\uff21da"])  # the last A is a full-width one
def test_names_that_look_alike_are_one_name(room, room_module, join, name):
    join("Ada")
    with pytest.raises(room_module.Refused, match="taken"):
        join(name)
    assert room.people == ["Ada"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 21, "a\x1b[31mb", f"Ada{INVISIBLE}", "\u202eadA", "\ud800"])
def test_names_that_are_refused(room, room_module, join, name):
    with pytest.raises(room_module.Refused, match="name"):
        join(name)
    assert room.people == []


def test_full_room(room, room_module, join, monkeypatch):
    monkeypatch.setattr(room_module, "MAX_PEOPLE", 2)
    join("Ada"), join("Bob")
    with pytest.raises(room_module.Refused, match="full"):
        join("Cleo")


@pytest.mark.parametrize(
    "message",
    ["", "{", "[" * 8000, "9" * 8000, "null", "[]", "{}", '{"type": "say"}', '{"type": "say", "text": 1}', b"{}"],
)
def test_bad_messages_are_answered_with_an_error(room, join, message):
    ada, bob = join("Ada"), join("Bob")
    heard(ada)
    room.take(ada, message, 0)
    (error,) = heard(ada)
    assert error["type"] == "error"
    assert heard(bob) == []
    assert ada.mistakes == 1
    room.take(ada, say("sorry"), 0)
    assert ada.mistakes == 0


@pytest.mark.parametrize("text", ["", " \n ", "x" * 501])
def test_lines_that_are_refused(room, join, text):
    ada = join("Ada")
    room.take(ada, say(text), 0)
    assert [message["type"] for message in heard(ada)] == ["error"]


def test_longest_line_passes_however_it_is_escaped(room, join, load):
    message = say("\N{GRINNING FACE}" * 500)
    assert len(message) <= load("server").MAX_SIZE
    ada = join("Ada")
    room.take(ada, message, 0)
    assert heard(ada)[0]["text"] == "\N{GRINNING FACE}" * 500


def test_lone_surrogates_harm_nobody(room, join):
    ada = join("Ada")
    room.take(ada, '{"type": "say", "text": "\\ud800"}', 0)
    text = ada.outbox.get_nowait()
    assert text.encode()  # it can be sent
    assert json.loads(text)["text"] == "\ud800"


def test_rate_is_limited_and_the_limit_passes(room, join):
    ada = join("Ada")
    for second in (0, 0, 0, 0, 1, 4.9, 5, 5.5):
        room.take(ada, say("hi"), second)
    kinds = [message["type"] for message in heard(ada)]
    assert kinds == ["said"] * 5 + ["error", "said", "said"]


def test_clock_that_is_set_back_silences_nobody(room, join):
    ada = join("Ada")
    for _ in range(5):
        room.take(ada, say("hi"), 1000)
    heard(ada)
    room.take(ada, say("hi"), 10)
    assert heard(ada)[0]["type"] == "said"


def test_history_holds_the_last_lines(room, room_module, join):
    ada = join("Ada")
    for number in range(room_module.HISTORY + 3):
        room.take(ada, say(str(number)), number * 10)
        heard(ada)
    bob = room.join('{"type": "join", "name": "Bob"}', lambda: None)
    history = heard(bob)[0]["history"]
    assert [line["text"] for line in history] == [str(number) for number in range(3, room_module.HISTORY + 3)]


def test_who_does_not_keep_up_is_dropped_and_the_others_hear_on(room, room_module, join):
    dropped = []
    slow = join("Slow", drop=lambda: dropped.append("Slow"))
    ada = join("Ada")
    for number in range(room_module.OUTBOX + 1):
        room.take(ada, say(str(number)), number * 10)
        assert [line["text"] for line in heard(ada)] == [str(number)]
    assert dropped
    assert slow.outbox.qsize() == room_module.OUTBOX
