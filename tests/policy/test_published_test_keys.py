"""The published test keys: a live deployment knows them, whoever enrols them."""

from __future__ import annotations

import hashlib

import pytest

from keybroker.policy import published_test_keys
from keybroker.policy.published_test_keys import is_published_test_key, read_digests
from tests.situations import a_point


@pytest.mark.parametrize("line", ["00", "zz" * 32, "00" * 33])
def test_refuses_a_line_that_is_no_digest(line: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        read_digests(f"# a comment\n\n{line}\n")


def test_reads_digests_and_passes_over_comments() -> None:
    digest = hashlib.sha256(b"a key").digest()
    assert read_digests(f"# a comment\n\n{digest.hex()}\n") == {digest}


def test_a_key_of_ones_own_is_none_of_them() -> None:
    assert not is_published_test_key(a_point(5))
    assert len(published_test_keys._PUBLISHED) > 400
