from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

from server import show_page

from twoway.asyncio import Request, Response, ServerConnection, basic_auth

USERS = [("ada", "correct horse"), ("bob", "battery staple")]  # yours come from a file or a database
COOKIE = "__Host-board"
LIFETIME = 12 * 3600  # seconds


class Login:
    """Let in who has a token, or a user name with its password; whoever loads the page gets a token."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._check_password = basic_auth("the board", USERS)

    async def __call__(self, connection: ServerConnection, request: Request) -> Response | None:
        connection.username = self.read_token(cookies(request).get(COOKIE, ""), time.time())
        if connection.username is None:
            refusal = await self._check_password(connection, request)
            if refusal is not None:
                return refusal
        response = show_page(connection, request)
        if response is not None and connection.username is not None:
            token = self.make_token(connection.username, time.time())
            attributes = f"Max-Age={LIFETIME}; Path=/; Secure; HttpOnly; SameSite=Strict"
            response.headers["Set-Cookie"] = f"{COOKIE}={token}; {attributes}"
        return response

    def make_token(self, name: str, now: float) -> str:
        body = base64.urlsafe_b64encode(json.dumps([name, now + LIFETIME]).encode()).decode()
        return f"{body}.{self._sign(body)}"

    def read_token(self, token: str, now: float) -> str | None:
        body, _, signature = token.rpartition(".")
        if not token.isascii() or not hmac.compare_digest(signature, self._sign(body)):
            return None
        name, end = json.loads(base64.urlsafe_b64decode(body))
        return name if now < end else None

    def _sign(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()


def cookies(request: Request) -> dict[str, str]:
    pairs = "; ".join(request.headers.get_all("Cookie")).split(";")
    return {name.strip(): value for name, _, value in (pair.partition("=") for pair in pairs)}
