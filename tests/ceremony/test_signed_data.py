"""One signer, exactly these attributes, exactly this certificate; as OpenSSL reads it too."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from asn1crypto import cms, tsp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from keybroker.ceremony.signed_data import LONGEST, assemble, openssl_commands, prepare, verify
from keybroker.errors import CmsUnfit
from tests.ceremony.people import TestPerson
from tests.statement.attested import AT, DAY, Attests

OCTETS = b'{"facts":{},"number":1}'
ADA = TestPerson(name="ada")
BEN = TestPerson(name="ben")
SIGNED = ADA.sign_at(OCTETS, AT)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P384 = Attests(name="cai", curve=ec.SECP384R1())


def by_ada(octets: bytes = OCTETS, at: datetime = AT, *, attributes: bytes | None = None) -> bytes:
    """Rightly signed, whatever the attributes."""
    attributes = attributes if attributes is not None else prepare(octets, ADA.certificate, at)
    signature = ADA.attests.key.sign(attributes, ec.ECDSA(hashes.SHA256()))
    return assemble(octets, ADA.certificate, attributes, signature)


def re_encoded(change: Callable[[cms.SignedData], None]) -> bytes:
    """The good one with a change, encoded again and not signed again where that needs no signature."""
    whole = cms.ContentInfo.load(SIGNED)
    change(whole["content"])
    return bytes(whole.dump(force=True))


def signed_again(change: Callable[[cms.CMSAttributes], None]) -> bytes:
    attributes = cms.CMSAttributes.load(prepare(OCTETS, ADA.certificate, AT))
    change(attributes)
    return by_ada(attributes=bytes(attributes.dump(force=True)))


def without(kind: str) -> Callable[[cms.CMSAttributes], None]:
    def change(attributes: cms.CMSAttributes) -> None:
        place = next(i for i, each in enumerate(attributes) if each["type"].native == kind)
        del attributes[place]

    return change


def two_signers(signed: cms.SignedData) -> None:
    signed["signer_infos"].append(signed["signer_infos"][0].copy())


def no_signer(signed: cms.SignedData) -> None:
    signed["signer_infos"] = cms.SignerInfos([])


def no_certificate(signed: cms.SignedData) -> None:
    signed["certificates"] = cms.CertificateSet([])


def another_certificate_beside(signed: cms.SignedData) -> None:
    signed["certificates"].append(cms.CertificateChoices.load(BEN.certificate))


def unsigned_attribute(signed: cms.SignedData) -> None:
    attribute = cms.CMSAttribute({"type": "content_type", "values": ["data"]})
    signed["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes([attribute])


def older_version(signed: cms.SignedData) -> None:
    signed["version"] = "v1"


def of_another_certificate(attributes: cms.CMSAttributes) -> None:
    """signingCertificate's hash of another certificate."""
    for each in attributes:
        if each["type"].native == "signing_certificate_v2":
            each["values"][0]["certs"][0]["cert_hash"] = sha256(BEN.certificate).digest()


def other_content_type(attributes: cms.CMSAttributes) -> None:
    for each in attributes:
        if each["type"].native == "content_type":
            each["values"][0] = cms.ContentType("data")


def digest_of_others(attributes: cms.CMSAttributes) -> None:
    for each in attributes:
        if each["type"].native == "message_digest":
            each["values"][0] = sha256(b"others").digest()


def doubled(attributes: cms.CMSAttributes) -> None:
    attributes.append(attributes[0].copy())


@pytest.mark.parametrize(
    ("der", "found"),
    [
        pytest.param(b"", "SignedData of ours", id="nothing"),
        pytest.param(OCTETS, "SignedData of ours", id="bare-octets"),
        pytest.param(SIGNED + b"\x00", "SignedData of ours", id="an-octet-more"),
        pytest.param(bytes(LONGEST + 1), "octets", id="too-long"),
        pytest.param(b"\x30\x80" + SIGNED[4:] + b"\x00\x00", "SignedData of ours", id="ber-indefinite-length"),
        pytest.param(b"\x30\x83\x00" + SIGNED[2:], "SignedData of ours", id="ber-longer-length"),
        pytest.param(re_encoded(two_signers), "one signer", id="two-signers"),
        pytest.param(re_encoded(no_signer), "SignedData of ours", id="no-signer"),
        pytest.param(re_encoded(no_certificate), "SignedData of ours", id="no-certificate"),
        pytest.param(re_encoded(another_certificate_beside), "exactly", id="two-certificates"),
        pytest.param(re_encoded(unsigned_attribute), "exactly", id="an-unsigned-attribute"),
        pytest.param(re_encoded(older_version), "exactly", id="version-1"),
        pytest.param(signed_again(without("signing_time")), "signingTime", id="no-signing-time"),
        pytest.param(signed_again(without("message_digest")), "exactly", id="no-digest"),
        pytest.param(signed_again(without("content_type")), "exactly", id="no-content-type"),
        pytest.param(signed_again(without("signing_certificate_v2")), "exactly", id="no-signing-certificate"),
        pytest.param(signed_again(of_another_certificate), "exactly", id="of-another-certificate"),
        pytest.param(signed_again(other_content_type), "exactly", id="content-type-data"),
        pytest.param(signed_again(digest_of_others), "exactly", id="digest-of-others"),
        pytest.param(signed_again(doubled), "exactly", id="an-attribute-twice"),
        pytest.param(by_ada(attributes=prepare(b"others", ADA.certificate, AT)), "exactly", id="attributes-of-others"),
        pytest.param(by_ada(at=AT - 2 * DAY), "valid when", id="before-the-certificate"),
        pytest.param(by_ada(at=AT + 801 * DAY), "valid when", id="after-the-certificate"),
        pytest.param(BEN.sign_at(OCTETS, AT), "exactly the signer's certificate", id="another-signer"),
    ],
)
def test_refuses_what_is_not_exactly_a_signature_of_this_person(der: bytes, found: str) -> None:
    with pytest.raises(CmsUnfit, match=found):
        verify(der, certificates=ADA.certificate)


def test_refuses_a_signature_by_another_key_than_the_certificates() -> None:
    attributes = prepare(OCTETS, ADA.certificate, AT)
    signature = BEN.attests.key.sign(attributes, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(CmsUnfit, match="by the key of this certificate"):
        verify(assemble(OCTETS, ADA.certificate, attributes, signature), certificates=ADA.certificate)


def test_refuses_a_key_of_another_curve() -> None:
    attributes = prepare(OCTETS, P384.certificate, AT)
    signature = P384.key.sign(attributes, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(CmsUnfit, match="P-256"):
        verify(assemble(OCTETS, P384.certificate, attributes, signature), certificates=P384.certificate)


@pytest.mark.parametrize(
    "certificates", [{}, {"ben": BEN.certificate}, {"ada": ADA.certificate, "also-ada": ADA.certificate}]
)
def test_refuses_who_is_not_exactly_one_of_those_expected(certificates: dict[str, bytes]) -> None:
    with pytest.raises(CmsUnfit, match="exactly one of those"):
        verify(SIGNED, certificates=certificates)


def test_refuses_a_certificate_that_is_none() -> None:
    with pytest.raises(CmsUnfit, match="certificate in DER"):
        prepare(OCTETS, b"\x30\x00", AT)


def test_every_octet_changed_is_refused() -> None:
    for place in range(len(SIGNED)):
        for change in (0x01, 0x80, 0xFF):
            changed = bytearray(SIGNED)
            changed[place] ^= change
            with pytest.raises(CmsUnfit):
                verify(bytes(changed), certificates=ADA.certificate)


def test_the_other_spelling_of_an_ecdsa_signature_is_over_the_same_octets() -> None:
    """Whoever holds no key can write n - s for s, and gains nothing: a signature is no name of what it signs."""
    attributes = prepare(OCTETS, ADA.certificate, AT)
    r, s = decode_dss_signature(ADA.attests.key.sign(attributes, ec.ECDSA(hashes.SHA256())))
    other = assemble(OCTETS, ADA.certificate, attributes, encode_dss_signature(r, P256_ORDER - s))
    assert verify(other, certificates=ADA.certificate) == verify(SIGNED, certificates=ADA.certificate)


def test_every_truncation_is_refused() -> None:
    for length in range(len(SIGNED)):
        with pytest.raises(CmsUnfit):
            verify(SIGNED[:length], certificates=ADA.certificate)


@settings(max_examples=60)
@given(st.binary(max_size=400), st.timedeltas(timedelta(0), timedelta(days=800)))
def test_what_was_signed_is_read_again(octets: bytes, later: timedelta) -> None:
    at = AT + later
    read = verify(by_ada(octets, at), certificates={"ada": ADA.certificate, "ben": BEN.certificate})
    assert (read.octets, read.certificate, read.name) == (octets, ADA.certificate, "ada")
    assert read.at == at.replace(microsecond=0)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_arbitrary_octets_are_refused_and_nothing_else(octets: bytes) -> None:
    with pytest.raises(CmsUnfit):
        verify(octets, certificates=ADA.certificate)


def test_from_2050_on_the_time_is_a_generalized_time() -> None:
    old = TestPerson(name="old", lasts=timedelta(days=40 * 366))
    at = datetime(2050, 1, 1, tzinfo=UTC)
    der = old.sign_at(OCTETS, at)
    assert b"\x18\x0f20500101000000Z" in der
    assert verify(der, certificates=old.certificate).at == at
    assert verify(old.sign_at(OCTETS, at - timedelta(seconds=1)), certificates=old.certificate).at.year == 2049


def test_another_library_reads_the_same() -> None:
    signed = cms.ContentInfo.load(SIGNED, strict=True)["content"]
    (signer,) = signed["signer_infos"]
    attributes = {each["type"].native: each["values"][0] for each in signer["signed_attrs"]}
    assert set(attributes) == {"content_type", "message_digest", "signing_time", "signing_certificate_v2"}
    content_type = "2.25.230666139860275758802546766591033180319"
    assert signed["encap_content_info"]["content_type"].native == attributes["content_type"].native == content_type
    assert attributes["signing_time"].native == AT
    assert isinstance(attributes["signing_certificate_v2"], tsp.SigningCertificateV2)
    (identified,) = attributes["signing_certificate_v2"]["certs"]
    assert identified["cert_hash"].native == sha256(ADA.certificate).digest()
    assert identified["issuer_serial"]["serial_number"].native == ADA.attests.x509.serial_number
    assert signer["sid"].chosen["serial_number"].native == ADA.attests.x509.serial_number


def openssl(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, text=True, check=False)


def signed_now(directory: Path) -> TestPerson:
    """Valid now by OpenSSL's own clock."""
    now = datetime.now(UTC)
    person = TestPerson(name="now", lasts=now - AT + DAY)
    person.write(directory)
    (directory / "entry.p7s").write_bytes(person.sign_at(OCTETS, now))
    return person


COMMAND = "openssl cms -verify -binary -inform DER -in entry.p7s -purpose any -CAfile signing.pem -out entry.json"


@pytest.mark.parametrize("command", [COMMAND, COMMAND.replace("-verify", "-verify -cades")])
def test_openssl_accepts_it_by_the_command_as_documented(command: str, tmp_path: Path) -> None:
    signed_now(tmp_path)
    done = openssl(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "successful" in done.stderr
    assert (tmp_path / "entry.json").read_bytes() == OCTETS


def test_openssl_refuses_it_by_another_persons_certificate(tmp_path: Path) -> None:
    signed_now(tmp_path)
    BEN.write(tmp_path / "ben")
    assert openssl(COMMAND.replace("signing.pem", "ben/signing.pem"), tmp_path).returncode != 0


def test_the_commands_of_a_witness_show_the_certificate_and_accept_the_signature_when_it_has_lapsed(
    tmp_path: Path,
) -> None:
    at = AT + DAY
    lapsed = TestPerson(name="lapsed", lasts=2 * DAY)
    lapsed.write(tmp_path)
    (tmp_path / "an entry.p7s").write_bytes(lapsed.sign_at(OCTETS, at))
    digest = sha256(lapsed.certificate).hexdigest()
    first, second = openssl_commands("an entry.p7s", "signing.pem", "entry.json", sha256_of_certificate=digest, at=at)
    shown = openssl(first, tmp_path)
    assert (shown.returncode, shown.stdout.split()[0]) == (0, digest)
    done = openssl(second, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "entry.json").read_bytes() == OCTETS
