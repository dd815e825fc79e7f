"""What both kinds of server authentication have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from twoway.http import HeaderError, Request, Response

from ._challenge import Challenge, parse_challenges
from ._grammar import check_text, check_username, compose

if TYPE_CHECKING:
    from typing import TypeGuard

CredentialsLike: TypeAlias = tuple[str, str] | Iterable[tuple[str, str]]
"""What a server compares with: one pair of user name and password, or several."""

_NAME = "Authorization"
_TEXT = "Authentication is required.\n"


def read_credentials(credentials: CredentialsLike) -> list[tuple[str, str]]:
    """
    Check credentials and make a list of them.

    Args:
        credentials: One pair of user name and password, or several.

    Returns:
        A new list.

    Raises:
        TypeError: ``credentials`` is something else. A caller's bug.
        ValueError: A user name or password holds what is not allowed. A caller's bug.
    """
    pairs: list[Any] = []
    if _is_pair(credentials):
        pairs = [credentials]
    elif isinstance(credentials, Iterable) and not isinstance(credentials, str):
        pairs = list(credentials)
    if not pairs or not all(map(_is_pair, pairs)):
        raise TypeError("credentials must be a pair of user name and password, or a list of such pairs")
    for username, password in pairs:
        check_username(username, "user name in credentials")
        check_text(password, "password in credentials")
    return [(compose(username), password) for username, password in pairs]


def read_authorization(request: Request, scheme: str) -> Challenge | None:
    """
    Read the credentials of a request.

    Args:
        request: Request; read only.
        scheme: Scheme in lower case.

    Returns:
        Them; ``None`` unless there is exactly one Authorization header, well-formed, with this scheme.

    Spec:
        RFC 9110 §11.6.2.
    """
    values = request.headers.get_all(_NAME)
    if len(values) != 1:
        return None
    try:
        found = parse_challenges(values, _NAME)
    except HeaderError:
        return None
    return found[0] if len(found) == 1 and found[0].scheme.lower() == scheme else None


def unauthorized(challenges: Iterable[str]) -> Response:
    """
    Build the answer that asks for credentials.

    Args:
        challenges: Values of WWW-Authenticate, one for each line.

    Returns:
        A plain-text response with status 401.

    Spec:
        RFC 9110 §15.5.2.
    """
    return Response.text(401, _TEXT, [("WWW-Authenticate", challenge) for challenge in challenges])


def _is_pair(value: object) -> TypeGuard[tuple[str, str]]:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value)
