"""Credentials from a .netrc file."""

from __future__ import annotations

from os import PathLike

from ._password import PasswordAuth


def netrc_auth(host: str, path: str | PathLike[str] | None = None) -> PasswordAuth | None:
    """
    Look up a host in a ``.netrc`` file. This is the one function here that reads a file.

    Args:
        host: Host name as it stands in the file.
        path: The file; ``None`` for ``.netrc`` in the home directory, which need not be there and must be readable
            by its owner only.

    Returns:
        Credentials; ``None`` if the file has none for this host and no default.

    Raises:
        OSError: The file cannot be read. A caller's bug.
        ValueError: The file is malformed, or what it holds cannot be sent. A caller's bug.
    """
    from netrc import NetrcParseError, netrc  # it reads files, and is rarely needed

    try:
        entries = netrc(path)  # type: ignore[arg-type, unused-ignore]
    except FileNotFoundError:
        if path is not None:
            raise
        return None
    except NetrcParseError as exc:  # its message may show a password
        raise ValueError(f"path must be a netrc file; line {exc.lineno} of {exc.filename} is not like that") from None
    found = entries.authenticators(host)
    return None if found is None else PasswordAuth(found[0], found[2] or "")
