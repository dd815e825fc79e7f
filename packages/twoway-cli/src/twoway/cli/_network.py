"""The first steps of ``twoway probe``: name, TCP, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from time import perf_counter
from typing import Any

from twoway.http import WebSocketURI

from ._certificate import check_age, describe_certificate, look_at_bad
from ._connecting import Connecting
from ._exits import Exit
from ._failures import Failure, explain, find_reason
from ._report import Report, Step, Verdict

_Address = tuple[Any, ...]

# Addresses of a name that are tried; more would only take longer.
_MOST = 6
# For each address; seconds. The opening handshake has its own limit.
_PATIENCE = 5.0


async def resolve(report: Report, host: str, port: int) -> list[_Address]:
    """
    Find the addresses of a host.

    Args:
        report: Gets the step.
        host: Name or address.
        port: 1-65535.

    Returns:
        What ``getaddrinfo`` gives, without repetitions.

    Raises:
        Stop: There are none.
    """
    begin = perf_counter()
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise report.fail("name", Failure(Exit.NO_NAME, f"The name server did not answer for {host}.")) from None
    except OSError as exc:
        raise report.fail("name", explain(exc, f"{host}:{port}")) from exc
    except UnicodeError:
        raise report.fail("name", Failure(Exit.NO_NAME, f"{host} cannot be the name of a host.")) from None
    addresses = list(dict.fromkeys(found))
    names = ", ".join(str(address[4][0]) for address in addresses)
    if names == host:
        report.add(Step("name", Verdict.OK, f"{host} is an address: there is nothing to look up"))
    else:
        text = f"{host} has the address{'es' if len(addresses) > 1 else ''} {names}"
        report.add(Step("name", Verdict.OK, text, seconds=perf_counter() - begin))
    return addresses


async def reach(report: Report, place: str, addresses: list[_Address]) -> None:
    """
    Try TCP with every address.

    Args:
        report: Gets the step.
        place: Host and port, for people.
        addresses: As from `resolve`.

    Raises:
        Stop: None of them answers.
    """
    results = await asyncio.gather(*(_reach(address) for address in addresses[:_MOST]))
    lines = tuple(f"{address[4][0]}: {text}" for address, (text, _) in zip(addresses, results, strict=False))
    times = [took for _, took in results if took is not None]
    if not times:
        reasons = " and ".join(sorted({text for text, _ in results}))
        hint = "does the server run, on this port, and does a firewall let it through?"
        raise report.fail("TCP", Failure(Exit.NO_CONNECTION, f"No connection to {place}: {reasons}.", hint), lines)
    if len(times) < len(results):
        text = f"only {len(times)} of {len(results)} addresses answer: clients that take another one wait, or fail"
        report.add(Step("TCP", Verdict.WARNING, text, lines, seconds=min(times)))
    else:
        answers = "it answers" if len(times) == 1 else f"all {len(times)} addresses answer"
        report.add(Step("TCP", Verdict.OK, f"{place}: {answers}", seconds=min(times)))


async def _reach(address: _Address) -> tuple[str, float | None]:
    family, kind, proto, _, where = address
    begin = perf_counter()
    try:
        with socket.socket(family, kind, proto) as sock:
            sock.setblocking(False)
            async with asyncio.timeout(_PATIENCE):
                await asyncio.get_running_loop().sock_connect(sock, where)
    except TimeoutError:
        return "no answer", None
    except OSError as exc:
        return find_reason(exc), None
    took = perf_counter() - begin
    return f"answered after {took * 1000:.1f} ms", took


async def secure(report: Report, connecting: Connecting, target: WebSocketURI) -> None:
    """
    Shake hands with TLS, and look at the certificate.

    Args:
        report: Gets the step.
        connecting: The options.
        target: Where.

    Raises:
        Stop: TLS fails, or the certificate is not accepted.
    """
    place = f"{target.host}:{target.port}"
    begin = perf_counter()
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(target.host, target.port, ssl=connecting.context())
    except ssl.SSLCertVerificationError as exc:
        details = await look_at_bad(target.host, target.port, target.host)
        raise report.fail("TLS", explain(exc, place), details) from exc
    except TimeoutError:
        hint = "is it a server without TLS? then the address begins with ws://"
        raise report.fail("TLS", Failure(Exit.TLS, f"{place} does not answer to TLS.", hint)) from None
    except OSError as exc:
        failure = explain(exc, place)
        raise report.fail("TLS", Failure(Exit.TLS, failure.sentence, failure.hint)) from exc
    found = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    add_tls(report, found, perf_counter() - begin, connecting.insecure)


def add_tls(report: Report, found: Any, seconds: float | None, insecure: bool) -> None:
    """
    Tell what TLS came to.

    Args:
        report: Gets the step.
        found: The SSL object of the connection.
        seconds: How long it took, TCP included; None where nobody knows.
        insecure: Whether the certificate was not looked at.
    """
    certificate = found.getpeercert() or {}
    cipher = found.cipher() or ("?",)
    text, details = f"{found.version()} with {cipher[0]}", describe_certificate(certificate)
    warning = (
        "the certificate was not checked: anybody could be at the other end" if insecure else check_age(certificate)
    )
    if warning:
        report.add(Step("TLS", Verdict.WARNING, f"{text}; {warning}", details, seconds=seconds))
    else:
        report.add(Step("TLS", Verdict.OK, f"{text}, and the certificate is good", details, seconds=seconds))
