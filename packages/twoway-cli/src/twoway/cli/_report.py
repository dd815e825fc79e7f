"""What ``twoway probe`` finds out, step by step, for people and for programs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

import click

from ._exits import Exit
from ._failures import Failure, Stop


class Verdict(Enum):
    """Say what a step came to."""

    OK = "ok"
    INFO = "info"
    WARNING = "warn"
    FAILURE = "FAIL"


_STYLES = {
    Verdict.OK: "bold green",
    Verdict.INFO: "bold blue",
    Verdict.WARNING: "bold yellow",
    Verdict.FAILURE: "bold red",
}


@dataclass(frozen=True)
class Step:
    """
    Hold one thing that was found out.

    Args:
        name: What was looked at.
        verdict: What it came to.
        text: What was found; one line, harmless for a terminal.
        details: Further lines.
        hint: What to do about it; empty where nothing is to be done.
        seconds: How long it took; None where that says nothing.
    """

    name: str
    verdict: Verdict
    text: str
    details: tuple[str, ...] = ()
    hint: str = ""
    seconds: float | None = None


@dataclass
class Report:
    """
    Collect steps, and show each as soon as it is known.

    Args:
        as_json: Show nothing until the end, and then a JSON object.
        steps: What is known.
    """

    as_json: bool = False
    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """
        Take a step.

        Args:
            step: What was found out.
        """
        self.steps.append(step)
        if not self.as_json:
            self._show(step)

    def fail(self, name: str, failure: Failure, details: tuple[str, ...] = ()) -> Stop:
        """
        Take a step behind which there is nothing more to find out.

        Args:
            name: What was looked at.
            failure: What is wrong.
            details: Further lines.

        Returns:
            What to raise.
        """
        self.add(Step(name, Verdict.FAILURE, failure.sentence, details, failure.hint))
        return Stop(Failure(failure.exit, ""))

    def finish(self, exit: Exit) -> None:
        """
        Say what it comes to.

        Args:
            exit: The exit status of the command.
        """
        if self.as_json:
            click.echo(json.dumps({"exit": int(exit), "steps": [_as_dict(step) for step in self.steps]}, indent=2))
            return
        self._print("", "")
        self._print(*self._conclusion())

    def _conclusion(self) -> tuple[str, str]:
        failures = [step for step in self.steps if step.verdict is Verdict.FAILURE]
        warnings = [step for step in self.steps if step.verdict is Verdict.WARNING]
        if failures:
            return f"It does not work, because of: {failures[0].name}.", "bold red"
        if warnings:
            return f"It works, but look at: {', '.join(step.name for step in warnings)}.", "bold yellow"
        return "It works.", "bold green"

    def _show(self, step: Step) -> None:
        from rich.text import Text

        took = "" if step.seconds is None else f"  [{step.seconds * 1000:.1f} ms]"
        line = Text().append(f"{step.verdict.value:5}", style=_STYLES[step.verdict])
        line.append(f"{step.name:13}", style="bold").append(step.text).append(took, style="dim")
        self._print(line)
        for detail in step.details:
            self._print(f"{'':18}{detail}", "dim")
        if step.hint:
            self._print(f"{'':18}Hint: {step.hint}", "yellow")

    def _print(self, text: Any, style: str = "") -> None:
        from rich.console import Console

        # Made for each line, as rich finds out then what standard output is.
        console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
        console.print(text, style=style or None)


def _as_dict(step: Step) -> dict[str, Any]:
    return {**asdict(step), "verdict": step.verdict.value.lower()}
