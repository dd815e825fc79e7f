"""
HTTP authentication, redirects and cookies for WebSocket, client and server; no I/O.

- `BasicAuth`, `BearerAuth`, `DigestAuth`, `PasswordAuth`: what a client knows; `netrc_auth` looks it up.
- `Attempts`: which requests one connection takes, from redirect to challenge to success; `Redirects` is its policy.
- `ProxyAuth`: the same for a CONNECT request to a proxy.
- `BasicAuthenticator`, `DigestAuthenticator`: what a server does with a request.
- `Challenge`, `parse_challenges`: what WWW-Authenticate holds.
- `AuthError`, `RedirectError`: why there is no further attempt.

Spec:
    RFC 7616, RFC 7617, RFC 6750; RFC 9110 §11, §15.4; RFC 6265.
"""

from __future__ import annotations

from ._address import is_private_address
from ._attempts import Attempts
from ._basic import BasicAuth
from ._basic_server import BasicAuthenticator, BasicClaim
from ._bearer import BearerAuth
from ._challenge import Challenge, parse_challenges
from ._claim import CredentialsLike
from ._cookies import CookieJarLike
from ._digest_claim import DigestClaim
from ._digest_server import DigestAuthenticator
from ._errors import AuthError, RedirectError
from ._exchange import AuthLike, ProxyAuth, read_auth
from ._netrc import netrc_auth
from ._password import DigestAuth, PasswordAuth
from ._redirect import Redirects, RedirectsLike
from ._scheme import Auth

__all__ = [
    "Attempts",
    "Auth",
    "AuthError",
    "AuthLike",
    "BasicAuth",
    "BasicAuthenticator",
    "BasicClaim",
    "BearerAuth",
    "Challenge",
    "CookieJarLike",
    "CredentialsLike",
    "DigestAuth",
    "DigestAuthenticator",
    "DigestClaim",
    "PasswordAuth",
    "ProxyAuth",
    "RedirectError",
    "Redirects",
    "RedirectsLike",
    "is_private_address",
    "netrc_auth",
    "parse_challenges",
    "read_auth",
]

for _name in __all__:
    _object = globals()[_name]
    if isinstance(_object, type):  # tracebacks and documentation name the public home
        _object.__module__ = __name__
