"""What a target is, and how inputs become pieces and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent.parent / "corpus"


@dataclass(frozen=True)
class Target:
    """
    Hold one thing to be fuzzed.

    Args:
        name: Its name, and that of its folder in ``corpus``.
        check: Called with an input; raises if a promise is broken, whatever it raises.
        portions: Pieces whose branches guide the fuzzer.
        words: What the fuzzer may put into its inputs.
        compiled: Whether it needs the compiled codec.
        folder: Where its inputs are kept, if that is not its folder in ``corpus``.
        max_length: Size of the largest inputs; bytes. The smaller, the more of them in a second.
    """

    name: str
    check: Callable[[bytes], None]
    portions: tuple[str, ...]
    words: tuple[bytes, ...] = ()
    compiled: bool = False
    folder: Path | None = None
    max_length: int = 512

    @property
    def corpus(self) -> Path:
        """Return the folder with its inputs."""
        return self.folder or CORPUS / self.name


def cut(data: bytes) -> Iterator[bytes]:
    """Cut an input into pieces; all sizes occur, as the length of the input chooses."""
    size = (1, 2, 3, 5, 8, 13, 40)[len(data) % 7]
    return (data[start : start + size] for start in range(0, len(data), size))


def lines(data: bytes) -> list[str]:
    """Make values of a header out of an input, one for each line."""
    return data.decode("latin-1").split("\n")
