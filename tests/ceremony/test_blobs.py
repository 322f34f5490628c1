"""The blob of a split key, and in which quorums it is tried."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.ceremony.blobs import BlobCopy, blob_octets, read_blob, read_copy, write_copy
from keybroker.ceremony.performing.trying import trial_groups
from keybroker.ceremony.quorum import what_stands
from keybroker.errors import ContentMalformed, ModuleDisagrees
from keybroker.hsm.profile_sections import Payload
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapped_key import WrappedKey, encode_wrapped_key
from keybroker.terms import KeyAlgorithm, KeyLabel, KeyPurpose
from tests.situations import a_point

WRAPPED = WrappedKey(
    label=KeyLabel("recovery"),
    purpose=KeyPurpose.RECOVERY_COMMAND,
    algorithm=KeyAlgorithm.ECDSA,
    identity=a_point(),
    blob=bytes(range(80)),
    wrapped_wrapping_key=b"\x5a" * 384,
    authentication=b"",
    check=b"",
    key_wrap="AES_KEY_WRAP_PAD",
    oaep=WrapMechanism.RSA_OAEP_SHA1,
    payload=Payload.PKCS8_ZERO_PADDED,
    source_serial="1",
)
OCTETS = blob_octets(WRAPPED)
DIGEST = sha256(OCTETS).hexdigest()


def test_refuses_a_blob_in_which_one_octet_is_another() -> None:
    for at in range(len(OCTETS)):
        changed = bytes([*OCTETS[:at], OCTETS[at] ^ 1, *OCTETS[at + 1 :]])
        with pytest.raises(ModuleDisagrees):
            read_blob(changed, DIGEST)


@pytest.mark.parametrize("octets", [b"", OCTETS[:-1], OCTETS + b"\n", OCTETS * 500])
def test_refuses_a_blob_of_another_length(octets: bytes) -> None:
    with pytest.raises(ModuleDisagrees):
        read_blob(octets, DIGEST)


def test_refuses_a_blob_with_its_wrapping_key_beside_it() -> None:
    octets = encode_wrapped_key(WRAPPED)
    with pytest.raises(ContentMalformed):
        read_blob(octets, sha256(octets).hexdigest())


def test_nothing_of_the_wrapping_key_stands_in_a_blob() -> None:
    assert b"5a" * 16 not in OCTETS
    assert read_blob(OCTETS, DIGEST) == replace(WRAPPED, wrapped_wrapping_key=bytes(384))


def test_a_copy_is_read_as_it_was_written_by_its_owner_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("medium") / "one.blob"
    copy = BlobCopy(site="site-a", path=str(place))
    assert read_copy(copy) is None
    write_copy(copy, OCTETS)
    assert read_copy(copy) == OCTETS
    assert place.stat().st_mode & 0o777 == 0o600


@given(st.integers(2, 16).flatmap(lambda count: st.tuples(st.just(count), st.integers(2, count))))
def test_everybody_takes_part_in_a_trial_and_every_trial_is_a_quorum(numbers: tuple[int, int]) -> None:
    count, threshold = numbers
    names = [f"custodian-{number}" for number in range(count)]
    groups = trial_groups(names, threshold)
    assert {name for group in groups for name in group} == set(names)
    assert all(len(set(group)) == len(group) == threshold for group in groups)
    assert len(groups) == -(-count // threshold)


@pytest.mark.parametrize(
    ("proven", "threshold", "begins"),
    [(0, 2, "the key is lost"), (1, 2, "the key is lost"), (2, 2, "reshare now"), (3, 2, "fine"), (5, 2, "fine")],
)
def test_says_what_stands_when_shares_are_lost(proven: int, threshold: int, begins: str) -> None:
    assert what_stands(proven, threshold).startswith(begins)
