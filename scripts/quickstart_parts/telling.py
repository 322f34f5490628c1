"""Steps on a terminal: in colour where somebody looks (not with NO_COLOR, not into a pipe), plain otherwise."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field

_BOLD, _GREEN, _RED, _DIM, _OFF = "\033[1m", "\033[32m", "\033[31m", "\033[2m", "\033[0m"


@dataclass(slots=True)
class Telling:
    """Numbers the steps as they are told."""

    colour: bool = field(default_factory=lambda: sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    _step: int = 0

    def step(self, sentence: str) -> None:
        self._step += 1
        print(self._in(_BOLD, f"{self._step}. {sentence}"), flush=True)

    def fact(self, name: str, value: object) -> None:
        print(f"     {self._in(_DIM, f'{name:<22}')} {value}", flush=True)

    def good(self, sentence: str) -> None:
        print(f"   {self._in(_GREEN, 'ok')} {sentence}", flush=True)

    def refused(self, sentence: str) -> None:
        print(f"   {self._in(_RED, 'refused')} {sentence}", flush=True)

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_OFF}" if self.colour else text
