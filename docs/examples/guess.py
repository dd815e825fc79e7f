"""Guess a number: a program for ``twoway serve --exec``, which runs it once for each player."""

from __future__ import annotations

import random
import sys

number = random.Random("twoway").randint(1, 100)
print("I think of a number from 1 to 100.", flush=True)
for line in sys.stdin:
    guess = int(line) if line.strip().isdecimal() else 0
    if guess == number:
        print("That is it!", flush=True)
        break
    print("more" if guess < number else "less", flush=True)
