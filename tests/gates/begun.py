"""How does every run begin? On a ledger of its own, on which everything that is good was stated an hour ago."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path

from tests import evidence, situations
from tests.fakes import FakeModule
from tests.gates.asked import ACB, SUPPLIER
from tests.gates.doings import BEGIN, KINDS_OF, LONG, Doings
from tests.gates.facts import World
from tests.ledger import books

_REPORTED = ("manufacturer", "model", "serial", "firmware_version", "hardware_version")


def a_world() -> World:
    return World(
        now=BEGIN,
        module={name: getattr(evidence.MODULE, name) for name in _REPORTED},
        site=evidence.MODULE.site,
        node=evidence.NODE.identity,
        node_site=evidence.NODE.site,
    )


@cache
def _first() -> tuple[tempfile.TemporaryDirectory[str], World, dict[str, int]]:
    """A ledger on which everything was stated once, to be copied, with what is known of it."""
    directory = tempfile.TemporaryDirectory()
    with books.a_book(Path(directory.name)) as journal:
        doings = Doings(journal=journal, world=a_world())
        for name in KINDS_OF:
            doings.enrol(name, LONG, None)
        doings.put_right(thresholds_too=True)
    return directory, doings.world, doings.lives


@contextmanager
def begun(*, live: bool) -> Iterator[Doings]:
    """A ledger of its own, an hour after everything was stated."""
    first, world, lives = _first()
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(first.name, directory, dirs_exist_ok=True)
        with books.a_book(Path(directory)) as journal:
            doings = Doings(journal=journal, world=deepcopy(world), lives=dict(lives))
            doings.world.live, doings.world.now = live, BEGIN + 3_600
            strong, weak = FakeModule(), FakeModule()
            doings.modules = {True: strong, False: weak}
            for purpose in (SUPPLIER, ACB):
                label, private_key = situations.LABELS[purpose], situations.a_private_key()
                weak.add(label, private_key)
                point = strong.add(label, private_key)
                certificate = situations.a_certificate(purpose, test_anchor=not live)
                key = situations.a_key(purpose, public_key=point, certificate=certificate)
                doings.register.keys[key.label] = key
            weak.weaken()
            yield doings
