"""To one recipient, unchanged, or not at all; as OpenSSL opens it too."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from asn1crypto import cms
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.ceremony.enveloped_data import LONGEST, OAEP, open_envelope, openssl_decrypt, receiving_key_of, seal
from keybroker.errors import CmsUnfit
from tests.ceremony.people import TestPerson

OCTETS = b'{"custodian":"ada","index":1}'
ADA = TestPerson(name="ada")
BEN = TestPerson(name="ben", number=1)


def sealed(octets: bytes = OCTETS, recipient: TestPerson = ADA) -> bytes:
    return seal(octets, recipient.receiving_certificate, secrets.token_bytes)


SEALED = sealed()


def re_encoded(change: Callable[[cms.SequenceOf], None]) -> bytes:
    whole = cms.ContentInfo.load(SEALED)
    change(whole["content"])
    return bytes(whole.dump(force=True))


def to_two(envelope: cms.AuthEnvelopedData) -> None:
    envelope["recipient_infos"].append(envelope["recipient_infos"][0].copy())


def attributed(envelope: cms.AuthEnvelopedData) -> None:
    attribute = cms.CMSAttribute({"type": "content_type", "values": ["data"]})
    envelope["auth_attrs"] = cms.CMSAttributes([attribute])


def of_another_type(envelope: cms.AuthEnvelopedData) -> None:
    envelope["auth_encrypted_content_info"]["content_type"] = "signed_data"


def with_a_shorter_tag(envelope: cms.AuthEnvelopedData) -> None:
    envelope["mac"] = envelope["mac"].native[:12]


def with_a_key_as_long_again(envelope: cms.AuthEnvelopedData) -> None:
    """The same number, with the modulus added: RSA would open it."""
    recipient = envelope["recipient_infos"][0].chosen
    number = int.from_bytes(recipient["encrypted_key"].native, "big")
    modulus = receiving_key_of(ADA.receiving_certificate).public_numbers().n
    recipient["encrypted_key"] = (number + modulus).to_bytes(385, "big")


@pytest.mark.parametrize(
    "der",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(OCTETS, id="bare-octets"),
        pytest.param(SEALED + b"\x00", id="an-octet-more"),
        pytest.param(bytes(LONGEST + 1), id="too-long"),
        pytest.param(b"\x30\x80" + SEALED[4:] + b"\x00\x00", id="ber-indefinite-length"),
        pytest.param(b"\x30\x83\x00" + SEALED[2:], id="ber-longer-length"),
        pytest.param(re_encoded(to_two), id="two-recipients"),
        pytest.param(re_encoded(attributed), id="an-attribute"),
        pytest.param(re_encoded(of_another_type), id="another-content-type"),
        pytest.param(re_encoded(with_a_shorter_tag), id="a-shorter-tag"),
        pytest.param(re_encoded(with_a_key_as_long_again), id="a-wrapped-key-beyond-the-modulus"),
        pytest.param(sealed(recipient=BEN), id="to-somebody-else"),
        pytest.param(ADA.sign(OCTETS), id="a-signed-document"),
    ],
)
def test_refuses_what_is_not_exactly_an_envelope_to_this_person(der: bytes) -> None:
    with pytest.raises(CmsUnfit):
        ADA.open(der)


@pytest.mark.parametrize("certificate", [ADA.certificate, b"\x30\x00", b""])
def test_refuses_to_seal_to_what_is_no_receiving_certificate(certificate: bytes) -> None:
    with pytest.raises(CmsUnfit):
        seal(OCTETS, certificate, secrets.token_bytes)


def test_refuses_to_open_with_another_key() -> None:
    key = BEN.receiving_key
    with pytest.raises(CmsUnfit, match="this key opens"):
        open_envelope(SEALED, ADA.receiving_certificate, lambda wrapped: key.decrypt(wrapped, OAEP))


@pytest.mark.parametrize("given", [b"", bytes(32), bytes(16)])
def test_refuses_a_key_that_is_not_the_envelopes(given: bytes) -> None:
    with pytest.raises(CmsUnfit, match="this key opens"):
        open_envelope(SEALED, ADA.receiving_certificate, lambda _: given)


def test_every_octet_changed_is_refused() -> None:
    for place in range(len(SEALED)):
        changed = bytearray(SEALED)
        changed[place] ^= 0x01
        with pytest.raises(CmsUnfit):
            ADA.open(bytes(changed))


def test_every_truncation_is_refused() -> None:
    for length in range(len(SEALED)):
        with pytest.raises(CmsUnfit):
            ADA.open(SEALED[:length])


@settings(max_examples=30)
@given(st.binary(max_size=2000))
def test_what_was_sealed_is_opened(octets: bytes) -> None:
    assert ADA.open(sealed(octets)) == octets


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_arbitrary_octets_are_refused_and_nothing_else(octets: bytes) -> None:
    with pytest.raises(CmsUnfit):
        ADA.open(octets)


def test_the_key_and_nonce_are_drawn_and_stand_nowhere() -> None:
    drawn: list[bytes] = []

    def draw(octets: int) -> bytes:
        drawn.append(secrets.token_bytes(octets))
        return drawn[-1]

    der = seal(OCTETS, ADA.receiving_certificate, draw)
    key, nonce = drawn
    assert (len(key), len(nonce)) == (32, 12)
    assert nonce in der
    assert key not in der
    assert OCTETS not in der


def openssl(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, text=True, check=False)


def test_openssl_opens_it_by_the_command_as_documented(tmp_path: Path) -> None:
    ADA.write(tmp_path)
    (tmp_path / "share.cms").write_bytes(SEALED)
    done = openssl(openssl_decrypt("share.cms", "receiving.pem", "receiving.key", "share.json"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "share.json").read_bytes() == OCTETS


def test_openssl_refuses_it_when_its_tag_was_changed(tmp_path: Path) -> None:
    ADA.write(tmp_path)
    (tmp_path / "share.cms").write_bytes(SEALED[:-1] + bytes([SEALED[-1] ^ 1]))
    done = openssl(openssl_decrypt("share.cms", "receiving.pem", "receiving.key", "share.json"), tmp_path)
    assert done.returncode != 0


def test_another_library_reads_the_same() -> None:
    envelope = cms.ContentInfo.load(SEALED, strict=True)["content"]
    (recipient,) = envelope["recipient_infos"]
    algorithm = recipient.chosen["key_encryption_algorithm"]
    assert algorithm["algorithm"].native == "rsaes_oaep"
    assert algorithm["parameters"]["hash_algorithm"]["algorithm"].native == "sha256"
    assert algorithm["parameters"]["mask_gen_algorithm"]["parameters"]["algorithm"].native == "sha256"
    encrypted = envelope["auth_encrypted_content_info"]
    assert encrypted["content_encryption_algorithm"]["algorithm"].native == "aes256_gcm"
    assert len(envelope["mac"].native) == 16
