"""
Write the table of threats in docs/security.md from the marks of the tests that prove the defences, or check it.

    python tools/threats.py --write      write the table
    python tools/threats.py --check      print what is wrong and fail

A test in ``tests/adversary`` names its threat with ``@pytest.mark.threat("masking")``. What no peer can see is tested
beside the sources, and these tests are named here. Nothing is executed, the files are only read.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from _workspace import ROOT

PAGE = Path("docs") / "security.md"
SUITE = Path("tests") / "adversary"
BEGIN, END = "<!-- threats: tools/threats.py -->", "<!-- /threats -->"


@dataclass(frozen=True)
class Threat:
    """
    Hold one threat, and the defence against it.

    Args:
        name: What tests say in their mark, and readers see first.
        threat: What a peer does.
        defence: What the library does about it.
        elsewhere: Tests that have no mark: paths, each with ``::`` and the name of a function.
    """

    name: str
    threat: str
    defence: str
    elsewhere: tuple[str, ...] = ()


_PACKAGES = "packages/twoway-"

SECTIONS: Mapping[str, tuple[Threat, ...]] = {
    "Requests to a server": (
        Threat(
            "unbounded headers",
            "A line, a header or their number without end, whole or in tiny pieces",
            "Limits for a line, for their number and for all together, counted over all reads; each byte is looked at "
            "once; 414 or 431, then the end",
        ),
        Threat(
            "equal headers",
            "The same header again and again, so that joining them takes long",
            "Work that is linear in the bytes",
        ),
        Threat(
            "slow handshakes",
            "A request that comes byte by byte, or never ends",
            "`open_timeout` runs from the connection to the answer; no byte starts it again; 408",
        ),
        Threat(
            "stalled handshakes",
            "Many connections that say nothing, to keep others out",
            "Every handshake waits for itself alone; `max_handshakes` bounds their number",
        ),
        Threat(
            "smuggled bodies",
            "A body behind the handshake, lengths that contradict each other, odd codings",
            "A handshake with a body, or anything that could be one, gets 400; bodies of plain requests are framed "
            "strictly and bounded; what follows is never read as frames",
        ),
        Threat(
            "malformed headers",
            "Control characters, other line ends, spaces before the colon, folded lines, bytes that are no name",
            "A parser that takes exactly what RFC 9110 and RFC 9112 define; 400",
        ),
        Threat(
            "malformed targets",
            "Spaces, control characters, full URLs or other letters as the target",
            "A path of visible ASCII characters, or 400",
        ),
        Threat(
            "Host and DNS rebinding",
            "No Host, several, malformed ones; a page whose name leads to a local server",
            "Exactly one valid Host, or 400; with `allowed_hosts` exactly yours, or 421",
        ),
        Threat(
            "handshake rules",
            "Keys, versions, methods and upgrades that are almost right",
            "All of RFC 6455 §4.2.1; 400, 405, 426 with the version that is spoken, or 505",
        ),
        Threat(
            "hostile offers of extensions",
            "Offers that are malformed, contradictory, very long or full of names that mean something to programs",
            "A parser that is linear; offers that break RFC 7692 are declined, text that is no offer gets 400",
        ),
        Threat(
            "hostile offers of subprotocols",
            "The same for subprotocols",
            "The answer is one that was offered and is supported, or none",
        ),
        Threat(
            "telling error pages",
            "Input that comes back in an error page, or a page that tells what is inside",
            "A fixed text for each status",
        ),
        Threat(
            "requests behind the first",
            "Requests in a row, or a flood behind a refusal",
            "One request for each connection; what follows a refusal is thrown away; what comes before an answer is "
            "bounded",
        ),
        Threat(
            "pages of other sites",
            "A page opens a connection with the cookies of its reader",
            "With `origins` exactly these, or 403; several or none are no match",
        ),
        Threat(
            "guessing at Basic",
            "Credentials that are almost right, malformed, or given twice",
            "401 without a difference; every secret is compared, in constant time",
            (
                f"{_PACKAGES}auth/tests/test_basic_server.py::test_the_time_does_not_tell_which_users_exist",
                f"{_PACKAGES}auth/tests/test_digest_server.py::test_the_time_does_not_tell_which_users_exist",
            ),
        ),
        Threat(
            "replaying Digest",
            "Answers that were seen before, made up nonces, weaker algorithms, other addresses",
            "Nonces are signed and expire, each use counts once; only what was offered is accepted",
        ),
    ),
    "Frames and messages, to a server and to a client": (
        Threat(
            "masking",
            "Frames of a client without a mask, frames of a server with one",
            "Close code 1002 at the header; nothing is delivered",
        ),
        Threat(
            "reserved bits and opcodes",
            "Bits that nobody has negotiated, opcodes that do not exist, fragments in a wrong order",
            "1002 at the first two bytes, before anything is read or allocated",
        ),
        Threat("control frames", "Long or fragmented pings, pongs and Close frames", "1002 at the header"),
        Threat(
            "lengths",
            "Lengths with the top bit, near 2^63, or written in a longer form; sums that overflow",
            "1002 or 1009 at the header",
        ),
        Threat(
            "huge messages",
            "A message, or the sum of its fragments, without limit",
            "`max_size`, judged at each header before the payload is taken; 1009",
        ),
        Threat(
            "fragment floods",
            "Thousands of fragments, empty ones too, each of which costs more than its bytes",
            "`max_fragments`; 1009",
        ),
        Threat(
            "slow frames",
            "A legal frame in thousands of pieces",
            "Pieces are joined as they come, so that neither memory nor time depends on their number; it arrives",
        ),
        Threat(
            "decompression bombs",
            "Little data that becomes much, over fragments or behind a final block",
            "The limit is for what comes out, exact to the byte; decompression stops there; 1009",
        ),
        Threat(
            "broken compressed data",
            "Data that cannot be decompressed, ends early, or ends the stream",
            "1007, and no exception of a library below; nothing is ever left out silently",
        ),
        Threat(
            "invalid UTF-8",
            "Text or close reasons that are no UTF-8, also cut between frames",
            "1007 at the first bad byte, though the frame may not be whole",
        ),
        Threat(
            "close frames",
            "Codes that must not be sent, half a code, talk after the end",
            "1002; nothing after a Close frame is delivered or answered",
        ),
        Threat(
            "ping floods",
            "Pings whose pongs nobody reads",
            "While the write buffer is full, only the newest ping is remembered",
        ),
        Threat(
            "peers that do not read",
            "A peer sends on, and does not read what is sent to it",
            "Backpressure: full queues stop reading; who answers no ping while we do read is dropped",
        ),
        Threat(
            "talk after the end",
            "A flood behind a violation or a Close frame",
            "It is thrown away unread, and cut off after `close_timeout`",
        ),
        Threat(
            "peers that never finish",
            "Silence, an answer that never comes, TCP that is never closed, a buffer that nobody empties",
            "`ping_interval` and `ping_timeout` for the silent, `close_timeout` for everything behind the first Close "
            "frame",
        ),
        Threat(
            "ends of the stream",
            "The stream ends, or is reset, after any byte",
            "One documented error with the cause; code 1006",
        ),
        Threat(
            "memory of idle connections",
            "Many connections that were used once",
            "Small windows, compressors only while they are used",
        ),
        Threat(
            "memory that stays", "The same attack again and again", "Nothing is left of a connection when it has ended"
        ),
    ),
    "Servers and proxies, to a client": (
        Threat(
            "false Sec-WebSocket-Accept",
            "Another value, none, or two",
            "One that is right, to the letter; else `InvalidHandshake`",
        ),
        Threat(
            "malformed answers",
            "Everything that was tried on servers, interim answers without end, answers of other protocols",
            "The same parser and the same limits; `InvalidHandshake`",
        ),
        Threat(
            "answers to offers",
            "Extensions, parameters or subprotocols that nobody offered",
            "`InvalidHandshake`",
        ),
        Threat(
            "endless error pages",
            "A body without end, or one that claims to be huge",
            "1 MiB, digits bounded, strict chunks; `InvalidHandshake`",
        ),
        Threat(
            "servers that never finish",
            "TCP, TLS, a proxy, headers, a body or redirects that take for ever",
            "`open_timeout` is one limit for all of it",
        ),
        Threat(
            "redirects that steal credentials",
            "A redirect to another origin",
            "Authorization, Cookie, Proxy-Authorization and what you name stay with scheme, host and port",
        ),
        Threat("redirects from TLS to plain", "A redirect from wss to ws or http", "It is not followed"),
        Threat(
            "redirects without end",
            "Loops, and Locations that are no address",
            "Ten at most; `InvalidStatus` or `InvalidURI`, whatever the text",
        ),
        Threat(
            "weaker ways to log in",
            "A challenge for Basic where Digest was meant, odd challenges, the same one for ever",
            "The strongest way that is offered and allowed, once; `DigestAuth` never sends the password",
        ),
        Threat(
            "injection by arguments",
            "Addresses, headers, subprotocols or credentials from somebody else, with line ends in them",
            "`ValueError` or `InvalidURI` before a byte is written",
        ),
        Threat(
            "hostile proxies",
            "Answers without end, or other ones than asked for; passwords of the proxy that go on to the server",
            "The same limits; only 2xx opens a tunnel; Proxy-Authorization is for the proxy alone",
        ),
        Threat(
            "false certificates",
            "A certificate that nobody trusts or of another host, or no TLS at all",
            "Python's default checks, always; the error of the `ssl` module",
        ),
        Threat(
            "internal errors",
            "Anything that ends in an exception of the inside",
            "Only documented exceptions reach a user, none reaches a log or an event loop",
        ),
        Threat(
            "cancelled sends",
            "A peer that does not read, so that sends are given up",
            "A cancelled send leaves the stream whole, with compression too",
            (
                f"{_PACKAGES}asyncio/tests/test_cancellation.py::test_a_fragmented_send_fails_the_connection_and_says_so",
                f"{_PACKAGES}threading/tests/test_cancellation.py"
                "::test_a_fragmented_send_that_times_out_fails_the_connection_and_says_so",
            ),
        ),
    ),
    "What no peer can see": (
        Threat(
            "masking keys",
            "Keys that can be guessed poison caches on the way",
            "A new key for each frame, from the operating system; never shared by threads or forked processes",
            (
                f"{_PACKAGES}frames/tests/test_mask.py::test_each_frame_has_a_key_of_its_own",
                f"{_PACKAGES}frames/tests/test_mask.py::test_threads_never_share_a_key",
                f"{_PACKAGES}frames/tests/test_mask.py::test_a_forked_child_does_not_repeat_the_keys_of_its_parent",
            ),
        ),
        Threat(
            "forged and telling logs",
            "Line ends of a peer in a log, passwords in logs, errors and `repr`",
            "What a peer sent is shown as `repr`, shortened; secrets are not shown",
            (
                f"{_PACKAGES}asyncio/tests/test_bad_input.py::test_the_reason_of_a_peer_cannot_forge_the_log",
                f"{_PACKAGES}asyncio/tests/test_auth.py::test_secrets_are_in_no_log",
                f"{_PACKAGES}threading/tests/test_auth.py::test_secrets_are_in_no_log",
                f"{_PACKAGES}http/tests/test_headers.py::test_repr_hides_secrets",
                f"{_PACKAGES}http/tests/test_errors.py::test_uri_error_hides_credentials",
                f"{_PACKAGES}auth/tests/test_password.py::test_repr_shows_no_secret",
            ),
        ),
        Threat(
            "two codecs, two drivers",
            "What one of them lets pass, the other does not",
            "The same tests for both, and bytes by chance for both side by side",
            (
                "tests/properties/test_implementations.py::test_both_implementations_say_and_do_the_same",
                "tests/properties/test_connection.py::test_a_long_walk",
                "tests/parity/test_drivers.py::test_the_drivers_differ_in_nothing_but_what_is_allowed",
            ),
        ),
        Threat(
            "split answers",
            "What a request holds goes into an answer of the application: a header, a reason, a redirect",
            "`ValueError` before a byte is written; the router escapes what it redirects to",
            (
                f"{_PACKAGES}http/tests/test_handshake.py::test_build_response_cannot_inject",
                f"{_PACKAGES}http/tests/test_message.py::test_response_reason_cannot_inject",
                f"{_PACKAGES}http/tests/test_headers.py::test_values_cannot_inject",
                f"{_PACKAGES}asyncio/tests/test_router.py::test_a_path_cannot_lead_to_another_host_or_forge_a_header",
                f"{_PACKAGES}threading/tests/test_router.py::test_a_path_cannot_lead_to_another_host_or_forge_a_header",
            ),
        ),
        Threat(
            "memory in frames",
            "An application hands on what is no text and no bytes, and what lay in memory is sent",
            "`TypeError`; the size of a frame is that of its data",
            (
                f"{_PACKAGES}frames/tests/test_frame.py::test_close_of_wrong_types",
                f"{_PACKAGES}protocol/tests/test_connection.py::test_wrong_arguments",
            ),
        ),
        Threat(
            "shared state in threads",
            "Two threads on one connection, or one object for many",
            "Each connection has its own state; what is shared changes in single steps",
            (
                f"{_PACKAGES}auth/tests/test_nonces.py::test_in_threads_one_wins",
                f"{_PACKAGES}deflate/tests/test_extension.py"
                "::test_sending_and_receiving_in_two_threads_while_a_third_releases",
            ),
        ),
    ),
}


def collect(root: Path) -> dict[str, list[str]]:
    """Return the tests of each threat: those with its mark, and those named here."""
    tests: dict[str, list[str]] = defaultdict(list)
    for path in sorted((root / SUITE).glob("test_*.py")):
        for function in _tests(path):
            for decorator in function.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.threat":
                    name = str(ast.literal_eval(decorator.args[0]))
                    tests[name].append(f"{path.relative_to(root).as_posix()}::{function.name}")
    for threat in _threats():
        tests[threat.name] += threat.elsewhere
    return dict(tests)


def _threats() -> Iterator[Threat]:
    for threats in SECTIONS.values():
        yield from threats


def _tests(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def problems(root: Path, tests: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield one sentence for each threat without a test, each unknown mark, and each test that is not there."""
    names = {threat.name for threat in _threats()}
    yield from (f"{name!r} is claimed, but no test proves it" for name in sorted(names) if not tests.get(name))
    for name, paths in tests.items():
        if name not in names:
            yield from (f"{path}: there is no threat {name!r}" for path in paths)
    for threat in _threats():
        for test in threat.elsewhere:
            path, _, function = test.partition("::")
            if not (root / path).is_file() or function not in {node.name for node in _tests(root / path)}:
                yield f"{threat.name!r} names {test}, which is not there"
    marked = {test for found in tests.values() for test in found}
    for file in sorted((root / SUITE).glob("test_*.py")):
        for node in _tests(file):
            test = f"{file.relative_to(root).as_posix()}::{node.name}"
            if test not in marked:
                yield f"{test} names no threat"


def render(text: str, tests: Mapping[str, list[str]]) -> str:
    """Return the page with its table renewed."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{''.join(_section(*section, tests) for section in SECTIONS.items())}\n{END}{tail}"


def _section(title: str, threats: tuple[Threat, ...], tests: Mapping[str, list[str]]) -> str:
    lines = ["", f"### {title}", "", "| | what a peer does | what twoway does | tests |", "|---|---|---|---|"]
    for threat in threats:
        files = sorted({path.partition("::")[0] for path in tests.get(threat.name, ())})
        shown = ", ".join(f"`{Path(path).name}`" for path in files)
        lines.append(f"| **{threat.name}** | {threat.threat} | {threat.defence} | {shown} |")
    lines += ["", "<details>", f"<summary>The tests: {title.lower()}</summary>", "<dl>"]
    for threat in threats:
        lines.append(f"<dt>{threat.name}</dt>")
        lines += [f"<dd><code>{path}</code></dd>" for path in tests.get(threat.name, ())]
    return "\n".join([*lines, "</dl>", "</details>", ""])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write the table of threats from the marks of the tests, or check it.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help=f"write the table in {PAGE}")
    action.add_argument("--check", action="store_true", help="print what is wrong and fail")
    write: bool = parser.parse_args().write
    tests = collect(ROOT)
    found = list(problems(ROOT, tests))
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    text = render(page, tests)
    if write:
        (ROOT / PAGE).write_text(text, encoding="utf-8")
    elif page != text:
        found.append(f"{PAGE} is stale: python tools/threats.py --write")
    print("\n".join(found) or f"threats: {len(tests)}, every one has a test")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
