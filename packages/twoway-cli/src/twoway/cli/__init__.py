"""
The command ``twoway``: WebSocket at the command line.

| module | holds |
|---|---|
| `_main` | `main`, and which commands there are |
| `_connect` | ``twoway connect``; `_lines` runs it in a pipe, `_interactive` in a terminal |
| `_echo`, `_serve` | ``twoway echo`` and ``twoway serve``; `_process` is the program of one connection |
| `_bench` | ``twoway bench``; `_load` makes the load, `_histogram` holds the latencies |
| `_probe` | ``twoway probe``; `_network`, `_certificate`, `_handshake` and `_conversation` are its steps, `_report` shows them |
| `_completion` | ``twoway completion`` |
| `_connecting`, `_listening` | options that commands share, and what they come to |
| `_command`, `_values` | how help and arguments look, for click |
| `_exits`, `_failures` | exit statuses, and one sentence for each way to fail |
| `_messages`, `_stdin`, `_text`, `_screen` | messages as lines, standard input, escaping, colours |

The command is what is public, with its options, its output for programs and its exit statuses.
"""  # noqa: E501

from __future__ import annotations

from ._main import main

__all__ = ["main"]

main.__module__ = __name__
