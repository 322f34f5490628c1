"""Every file of the corpus through its decoder, each in its time: what the fuzzer found once is never found again."""

from __future__ import annotations

import time

import pytest

from keybroker.content.model import Accompanying
from tests.fuzz.context import files_of
from tests.fuzz.target import KINDS, beside, with_beside
from tests.fuzz.targets import TARGETS

MOST_SECONDS = 2.0
"""For one input; the longest takes a hundredth of it on an idle machine."""

READS_NOTHING = frozenset({"revocation-list"})
"""Those whose context has nothing that would verify: what they read is refused at the last step."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_value_or_the_one_refusal(name: str) -> None:
    read = 0
    for file in files_of(name):
        began = time.monotonic()
        try:
            read += TARGETS[name].try_with(file.read_bytes())
        except Exception as error:
            raise AssertionError(f"{file} is neither read nor refused: {error!r}") from error
        assert time.monotonic() - began < MOST_SECONDS, file
    assert read or name in READS_NOTHING


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_a_corpus_that_is_small(name: str) -> None:
    sizes = [file.stat().st_size for file in files_of(name)]
    assert sizes
    assert sum(sizes) <= 1 << 18


def test_what_comes_beside_is_taken_apart_as_it_was_put_together() -> None:
    for count in range(4):
        given = tuple(Accompanying(kind=kind, octets=bytes(count)) for kind in KINDS[:count])
        assert beside(with_beside(b"whole", given)) == (given, b"whole")
