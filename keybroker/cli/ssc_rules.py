"""When does a reference check system confirm? Three rules to begin with; a deployer writes his own beside them.

Each is made with what it needs to know, and is then asked about one request at a time: who asked, whether the customer
is vulnerable, and whether many are disconnected at once. What a real one consults (the customer's account, a fault map)
is the deployer's.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from keybroker.cli.ssc_check import Asked, NotConfirmed, Rule
from keybroker.terms import EntityIdentifier

_HOUR = timedelta(hours=1)
_DISCONNECTING = frozenset({"1.6", "2.1", "6.4.1", "7.2"})
"""Variants that take supply away, or can: payment mode, prepayment configuration, load limits, disabling."""


def who_asked(allowed: Iterable[str]) -> Rule:
    """Only systems that are named here."""
    names = frozenset(allowed)

    def who_asked(asked: Asked) -> None:
        if asked.by not in names:
            raise NotConfirmed("ASKER_UNKNOWN", f"{asked.by or 'nobody'} is not listed")

    return who_asked


def not_a_vulnerable_customer(devices: Iterable[EntityIdentifier]) -> Rule:
    """No supply is taken from the Devices listed: of customers who depend on it."""
    listed = frozenset(devices)

    def not_a_vulnerable_customer(asked: Asked) -> None:
        if asked.variant in _DISCONNECTING and asked.content.device in listed:
            raise NotConfirmed("CUSTOMER_VULNERABLE", f"{asked.content.device} is on the list of vulnerable customers")

    return not_a_vulnerable_customer


def no_mass_disconnection(most_per_hour: int) -> Rule:
    """At most so many confirmations an hour take supply away; for more, ask a person. Kept in memory alone."""
    lately: deque[datetime] = deque()
    one_at_a_time = Lock()

    def no_mass_disconnection(asked: Asked) -> None:
        if asked.variant not in _DISCONNECTING:
            return
        with one_at_a_time:
            while lately and lately[0] <= asked.at - _HOUR:
                lately.popleft()
            if len(lately) >= most_per_hour:
                raise NotConfirmed(
                    "MASS_DISCONNECTION", f"{len(lately)} within an hour, expected {most_per_hour} at most"
                )
            lately.append(asked.at)

    return no_mass_disconnection


def read_devices(file: Path) -> frozenset[EntityIdentifier]:
    """One EUI-64 a line; empty lines and those that begin with # are left out. Raises: ValueError."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return frozenset(EntityIdentifier.from_text(line) for line in lines if line and not line.startswith("#"))


def load_rule(path: str) -> Rule:
    """``package.module:function``, a rule of the deployer's. Raises: ValueError where there is none."""
    module, _, name = path.partition(":")
    try:
        rule: Callable[[Asked], None] | None = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise ValueError(f"expected package.module:function, found {path}: {error}") from error
    if not callable(rule):
        raise ValueError(f"expected package.module:function, found {path}: no function of that name")  # noqa: TRY004 - one kind of error
    return rule
