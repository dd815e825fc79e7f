"""What an application may say and is told, as its client sees it."""

from __future__ import annotations

import asyncio
import logging

import pytest
from uvicorn.protocols.utils import ClientDisconnected

from twoway.frames import Close


def saying(*messages, then=None):
    """Make an application that says something, and keeps what it receives and what is raised."""

    async def app(scope, receive, send):
        app.received.append(await receive())
        for message in messages:
            try:
                await send(message)
            except Exception as exc:
                app.raised.append(exc)
        if then is not None:
            await then(scope, receive, send, app)

    app.received, app.raised = [], []
    return app


ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}


def text(data):
    return {"type": "websocket.send", "text": data}


async def receive_once(scope, receive, send, app):
    app.received.append(await receive())


# Handshake


async def test_text_and_bytes_come_as_what_they_are(serving, echo):
    async with serving(echo) as site:
        client = await site.connect()
        assert await client.ask("żółć") == "żółć"
        assert await client.ask(b"\x00\xff") == b"\x00\xff"
        assert await client.ask("") == ""
        await client.close(3001, "enough")
    assert echo.events == [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "żółć"},
        {"type": "websocket.receive", "bytes": b"\x00\xff"},
        {"type": "websocket.receive", "text": ""},
        {"type": "websocket.disconnect", "code": 3001, "reason": "enough"},
    ]


async def test_a_fragmented_message_is_one(serving, echo):
    async with serving(echo) as site:
        client = await site.connect()
        client.protocol.send_text("ab", fin=False)
        client.protocol.ping(b"between", now=0)
        client.protocol.send_continuation("cd")
        client.flush()
        assert await client.next(str) == "abcd"


async def test_the_subprotocol_that_the_application_chooses(serving, echo):
    echo.accept = {"subprotocol": "b"}
    async with serving(echo) as site:
        client = await site.connect(subprotocols=["a", "b"])
        assert client.protocol.subprotocol == "b"
    assert echo.scopes[0]["subprotocols"] == ["a", "b"]


async def test_no_subprotocol(serving, echo):
    echo.accept = {"subprotocol": None, "headers": None}
    async with serving(echo) as site:
        assert (await site.connect(subprotocols=["a"])).protocol.subprotocol is None


@pytest.mark.parametrize(
    "accept",
    [
        {"subprotocol": "c"},
        {"headers": [(b"sec-websocket-protocol", b"a")]},
        {"headers": [(b"Upgrade", b"other")]},
        {"headers": [(b"x", b"a\r\ny: b")]},
    ],
)
async def test_an_answer_that_would_break_the_handshake_is_an_error_of_the_application(serving, accept):
    app = saying({**ACCEPT, **accept}, {**ACCEPT, "subprotocol": "a"})
    async with serving(app) as site:
        client = await site.connect(subprotocols=["a", "b"])
        assert client.protocol.subprotocol == "a"
        assert "x" not in client.protocol.response.headers
    assert [type(error) for error in app.raised] == [ValueError]


async def test_headers_of_the_answer(serving, echo):
    echo.accept = {"headers": [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-name", b"\xe9")]}
    async with serving(echo, headers=[("x-always", "1")]) as site:
        headers = (await site.connect()).protocol.response.headers
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert (headers["X-Name"], headers["X-Always"], headers["Server"]) == ("é", "1", "uvicorn")
    assert len(headers.get_all("Date")) == 1


async def test_the_application_has_the_last_word_about_headers(serving, echo):
    echo.accept = {"headers": [(b"server", b"mine")]}
    async with serving(echo) as site:
        assert (await site.connect()).protocol.response.headers.get_all("Server") == ["mine"]


async def test_no_server_header_and_no_date_if_uvicorn_is_told_so(serving, echo):
    async with serving(echo, server_header=False, date_header=False) as site:
        headers = (await site.connect()).protocol.response.headers
    assert "Server" not in headers and "Date" not in headers


async def test_messages_that_came_before_the_answer_wait(serving):
    async def app(scope, receive, send):
        await receive()
        await may_accept.wait()
        await send(ACCEPT)
        await send(text((await receive())["text"]))
        await receive()

    may_accept = asyncio.Event()
    async with serving(app) as site:
        client = await site.start()
        while not site.server.server_state.tasks:
            await asyncio.sleep(0.001)
        client.writer.write(b"\x81\x85\x00\x00\x00\x00early")
        await asyncio.sleep(0.01)
        may_accept.set()
        assert await client.next(str) == "early"


async def test_what_is_accepted_is_logged(serving, echo, log):
    async with serving(echo) as site:
        client = await site.connect("/a%20b?c=d%20e")
        port = client.writer.get_extra_info("sockname")[1]
    assert f'127.0.0.1:{port} - "WebSocket /a%20b?c=d%20e" [accepted]' in [line.replace('" [', '" [') for line in log()]


# Refusals


async def test_close_instead_of_accept_is_403(serving, log):
    app = saying(CLOSE, then=receive_once)
    async with serving(app) as site:
        response, body = await site.refused("/secret")
    assert (response.status_code, body, response.headers["Connection"]) == (403, b"", "close")
    assert response.headers["Server"] == "uvicorn"
    assert app.received[1] == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    assert any(line.endswith('"WebSocket /secret" 403') for line in log())


def denial(status=401, headers=((b"content-type", b"text/html"),), **more):
    return {"type": "websocket.http.response.start", "status": status, "headers": list(headers), **more}


def body(data=None, more=None):
    message = {"type": "websocket.http.response.body"}
    return message | ({} if data is None else {"body": data}) | ({} if more is None else {"more_body": more})


async def test_a_refusal_of_the_application(serving, log):
    app = saying(denial(), body(b"<p>No", True), body(b".</p>"), then=receive_once)
    async with serving(app) as site:
        response, data = await site.refused()
    assert (response.status_code, response.reason_phrase, data) == (401, "Unauthorized", b"<p>No.</p>")
    assert response.headers["Content-Type"] == "text/html"
    assert response.headers.get_all("Content-Length") == ["10"]
    assert "Date" in response.headers
    assert app.received[1]["code"] == 1006 and app.raised == []
    assert any(line.endswith('"WebSocket /" 401') for line in log())


async def test_a_refusal_without_headers_and_body(serving):
    app = saying({"type": "websocket.http.response.start", "status": 404}, body())
    async with serving(app) as site:
        response, data = await site.refused()
    assert (response.status_code, data, response.headers["Content-Length"]) == (404, b"", "0")


async def test_how_a_refusal_is_sent_is_the_affair_of_the_server(serving):
    app = saying(denial(200, [(b"transfer-encoding", b"chunked")]), body(b"ok"))
    async with serving(app) as site:
        response, data = await site.refused()
    assert (response.status_code, data) == (200, b"ok")
    assert "Transfer-Encoding" not in response.headers


async def test_a_redirection(serving):
    app = saying(denial(307, [(b"location", b"/new")]), body())
    async with serving(app) as site:
        response, _ = await site.refused()
    assert (response.status_code, response.headers["Location"]) == (307, "/new")


@pytest.mark.parametrize("status", [101, 100, 199, 600])
async def test_a_refusal_must_have_the_status_of_one(serving, status):
    app = saying(denial(status), CLOSE)
    async with serving(app) as site:
        assert (await site.refused())[0].status_code == 403
    assert [type(error) for error in app.raised] == [ValueError]


async def test_a_refusal_must_have_the_length_that_it_says(serving, log):
    app = saying(denial(400, [(b"content-length", b"7")]), body(b"short"))
    async with serving(app) as site:
        assert (await site.refused())[0].status_code == 500
    assert str(app.raised[0]) == "Content-Length is 7, but the body has 5 bytes"
    assert log(logging.ERROR) == ["ASGI callable returned without completing handshake."]


async def test_an_error_in_the_middle_of_a_refusal_is_500(serving, log):
    async def app(scope, receive, send):
        await send(denial(401))
        await send(body(b"half", True))
        raise LookupError

    async with serving(app) as site:
        response, data = await site.refused()
    assert (response.status_code, data) == (500, b"Internal Server Error")
    assert log(logging.ERROR) == ["Exception in ASGI application\n"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Extensions": "=;"}, 400),
        ({"Host": None}, 400),
    ],
)
async def test_what_is_no_handshake_does_not_reach_the_application(serving, echo, change, status):
    def alter(request):
        for name, value in change.items():
            request.headers.pop(name, None)
            if value is not None:
                request.headers[name] = value

    async with serving(echo) as site:
        response, _ = await site.refused(alter=alter)
    assert response.status_code == status
    assert echo.scopes == []


# The application ends


@pytest.mark.parametrize(("after_accept", "failing"), [(False, True), (False, False), (True, True), (True, False)])
async def test_what_an_application_leaves_undone(serving, log, after_accept, failing):
    async def app(scope, receive, send):
        if after_accept:
            await send(ACCEPT)
        if failing:
            raise LookupError("no such thing")

    async with serving(app) as site:
        if after_accept:
            client = await site.connect()
            assert await client.closed() == Close(1011 if failing else 1000)
        else:
            response, data = await site.refused()
            assert (response.status_code, data) == (500, b"Internal Server Error")
    expected = {
        (True, True): ["Exception in ASGI application\n"],
        (False, True): ["Exception in ASGI application\n"],
        (False, False): ["ASGI callable returned without completing handshake."],
        (True, False): [],
    }
    assert log(logging.ERROR) == expected[after_accept, failing]


async def test_a_result_is_an_error(serving, log):
    async def app(scope, receive, send):
        await send(ACCEPT)
        return "done"

    async with serving(app) as site:
        assert await (await site.connect()).closed() == Close(1000)
    assert log(logging.ERROR) == ["ASGI callable should return None, but returned 'done'."]


async def test_an_application_that_is_cancelled_fails(serving, log):
    async def app(scope, receive, send):
        await send(ACCEPT)
        await asyncio.Event().wait()

    async with serving(app) as site:
        client = await site.connect()
        for task in site.server.server_state.tasks:
            task.cancel()
        assert await client.closed() == Close(1011)
    assert log(logging.ERROR) == []


# Closing


@pytest.mark.parametrize(
    ("message", "close"),
    [
        ({}, Close(1000)),
        ({"code": 4000, "reason": "żegnaj"}, Close(4000, "żegnaj")),
        ({"code": 1005, "reason": None}, Close(1005)),
    ],
)
async def test_the_application_closes(serving, message, close):
    app = saying(ACCEPT, {**CLOSE, **message}, then=receive_once)
    async with serving(app) as site:
        client = await site.connect()
        assert await client.closed() == close
        assert client.protocol.close_rcvd_then_sent
    assert app.received[1] == {"type": "websocket.disconnect", "code": close.code, "reason": close.reason}


@pytest.mark.parametrize("message", [{"code": 1006}, {"code": 999}, {"reason": "x" * 124}, {"code": "1000"}])
async def test_a_close_that_may_not_be_sent_is_an_error_of_the_application(serving, message):
    app = saying(ACCEPT, {**CLOSE, **message}, {**CLOSE, "code": 3000})
    async with serving(app) as site:
        assert await (await site.connect()).closed() == Close(3000)
    assert [type(error) in (TypeError, ValueError) for error in app.raised] == [True]


async def test_after_a_close_messages_are_not_told_any_more(serving, until):
    app = saying(ACCEPT, CLOSE, then=receive_once)
    async with serving(app) as site:
        client = await site.connect()
        client.answering = False
        await client.next(Close)
        client.writer.write(b"\x81\x84\x00\x00\x00\x00late" * 1000)
        client.flush()
        assert await client.closed() == Close(1000)
    assert app.received[1]["type"] == "websocket.disconnect"


async def test_messages_before_the_end_are_told_and_the_end_as_often_as_asked(serving, until):
    async def app(scope, receive, send):
        await send(ACCEPT)
        await until(lambda: site.clients[0].writer.transport.is_closing())
        await until(lambda: not site.connections)
        told.extend([await receive() for _ in range(5)])

    told = []
    async with serving(app) as site:
        client = await site.connect()
        await client.send("a")
        await client.send("b")
        await client.close(1001)
        await until(lambda: len(told) == 5)
    assert [event.get("text", event.get("code")) for event in told[1:]] == ["a", "b", 1001, 1001]


async def test_a_close_without_code_is_1005(serving, echo, until):
    async with serving(echo) as site:
        client = await site.connect()
        await client.close(1005)
        await until(lambda: not site.connections)
    assert echo.last == {"type": "websocket.disconnect", "code": 1005, "reason": ""}


# Saying the wrong thing


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([text("x")], "Expected 'websocket.accept' or 'websocket.close' or 'websocket.http.response.start' before"),
        ([ACCEPT, ACCEPT], "Expected 'websocket.send' or 'websocket.close' after 'websocket.accept', but got"),
        ([denial(), ACCEPT], "Expected 'websocket.http.response.body' after 'websocket.http.response.start', but"),
        ([CLOSE, ACCEPT], "Expected nothing after the connection was closed or refused by the application, but got"),
        ([ACCEPT, CLOSE, text("x")], "Expected nothing after the connection was closed"),
        ([ACCEPT, CLOSE, CLOSE], "Expected nothing after the connection was closed"),
    ],
)
async def test_what_may_not_be_said_now(serving, log, messages, complaint):
    app = saying(*messages)
    async with serving(app) as site:
        client = await site.start()
        await client.closed()
    (error,) = app.raised
    assert isinstance(error, RuntimeError) and str(error).startswith(complaint)
    assert log(logging.ERROR) in ([], ["ASGI callable returned without completing handshake."])


@pytest.mark.parametrize(
    ("message", "error"),
    [({"type": "websocket.send"}, ValueError), (text(b"x"), None), (text(5), TypeError)],
)
async def test_what_may_not_be_sent(serving, message, error):
    app = saying(ACCEPT, message, {"type": "websocket.send", "bytes": None, "text": "fine"})
    async with serving(app) as site:
        assert (await (await site.connect()).next(str)) in ("fine", "x")
    assert [type(exc) for exc in app.raised] == ([] if error is None else [error])


async def test_to_send_to_somebody_who_is_gone_is_an_os_error(serving, until):
    async def app(scope, receive, send):
        await send(ACCEPT)
        await until(lambda: not site.connections)
        for message in (text("x"), CLOSE, ACCEPT):
            with pytest.raises(OSError) as caught:
                await send(message)
            raised.append(type(caught.value))
        await send(text("let it through"))

    raised = []
    async with serving(app) as site:
        (await site.connect()).drop()
        await until(lambda: len(raised) == 3 and not site.server.server_state.tasks)
    assert raised == [ClientDisconnected] * 3


async def test_the_client_leaves_before_the_answer(serving, until, log):
    async def app(scope, receive, send):
        told.append(await receive())
        told.append(await receive())
        with pytest.raises(ClientDisconnected):
            await send(ACCEPT)
        told.append(None)

    told = []
    async with serving(app) as site:
        client = await site.start()
        await until(lambda: bool(told))
        client.drop()
        await until(lambda: len(told) == 3)
    assert told[1] == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    assert log(logging.ERROR) == []


async def test_that_another_client_is_gone_is_an_error_like_others(serving, until, log):
    async def app(scope, receive, send):
        await send(ACCEPT)
        sends.append(send)
        if len(sends) == 1:
            await receive()
            await receive()
        else:
            await sends[0](text("are you there?"))

    sends = []
    async with serving(app) as site:
        (await site.connect()).drop()
        await until(lambda: not site.connections)
        assert await (await site.connect()).closed() == Close(1011)
    assert log(logging.ERROR) == ["Exception in ASGI application\n"]
