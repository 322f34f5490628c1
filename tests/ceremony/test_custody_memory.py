"""What a core image of the custody process would hold between two questions: no key, and no share but
as somebody typed it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from keybroker.ceremony.custody_child import Custody, opened_custody
from keybroker.ceremony.share import Share
from tests.ceremony.splitting import WRAPPING_KEY, some_parts, some_shares
from tests.ceremony.test_custody_process import SHA256, hand_in, spki, type_in
from tests.process_memory import where_in_memory

SHARES = some_shares()
SET = SHARES[0].share_set
QUORUM = SHARES[: SET.threshold]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="another process's memory is root's to read: NOT LOOKED AT")


@pytest.fixture
def custody() -> Iterator[Custody]:
    with opened_custody() as custody:
        custody.expect(SET)
        yield custody


def spelled(share: Share) -> list[bytes]:
    """Five words in a row, as they are typed and as they stand in the file of a share."""
    return [separator.join(share.words[3:8]).encode() for separator in (" ", '", "', '","')]


SECRETS = [
    WRAPPING_KEY,
    WRAPPING_KEY.hex().encode(),
    *(part.value for part in some_parts()),
    *(text for share in QUORUM for text in spelled(share)),
]


def found(custody: Custody) -> list[bytes]:
    return [secret for secret in SECRETS if where_in_memory(custody._process.pid, secret)]


def test_what_was_typed_is_held_as_it_was_typed_until_the_next_ceremony(custody: Custody) -> None:
    """So the search finds what is there; and memory that was given back is overwritten."""
    type_in(custody, QUORUM[0])
    assert found(custody) == spelled(QUORUM[0])[:1]
    custody.expect(SET)
    assert found(custody) == []


def test_no_share_from_an_envelope_and_no_key_stand_in_it_between_two_questions(custody: Custody) -> None:
    """While it holds the shares too: their words are there one by one, as in every word list, in no order."""
    for share in QUORUM:
        hand_in(custody, share)
    assert found(custody) == []
    pair = rsa.generate_private_key(65537, 3072)
    custody.join([share.custodian for share in QUORUM], spki(pair), SHA256)
    assert found(custody) == []
