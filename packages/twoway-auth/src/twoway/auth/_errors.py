"""Why the client gives up; each error has the response that was the last straw."""

from __future__ import annotations

from twoway.http import Response, StatusError


class AuthError(StatusError):
    """
    Say that there are no credentials that the server, or the proxy, would take.

    Args:
        response: The whole response, 401 or 407; kept.
        reason: Why there is no further attempt; without secrets.

    Attributes:
        response: The whole response.
        reason: Why there is no further attempt.

    Spec:
        RFC 9110 §15.5.2, §15.5.8.
    """

    def __init__(self, response: Response, reason: str) -> None:
        super().__init__(response)
        self.reason = reason
        who = "proxy" if response.status_code == 407 else "server"
        self.message: str = f"{who} wants authentication (HTTP {response.status_code}): {reason}"


class RedirectError(StatusError):
    """
    Say that a redirect was not followed.

    Args:
        response: The whole response, 3xx; kept.
        reason: Why; without secrets.
        history: Where the redirects led so far, the first URI included; without credentials and queries.

    Attributes:
        response: The whole response.
        reason: Why.
        history: Where the redirects led so far, the first URI included.

    Spec:
        RFC 9110 §15.4.
    """

    def __init__(self, response: Response, reason: str, history: tuple[str, ...] = ()) -> None:
        super().__init__(response)
        self.reason = reason
        self.history = history
        self.message: str = f"redirect (HTTP {response.status_code}) not followed: {reason}"
