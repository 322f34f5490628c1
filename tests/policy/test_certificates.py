"""Certificate chains: what is not borne out is refused; then what a good chain states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from keybroker.content.public_key import public_key_identifier
from keybroker.errors import ConfigurationInvalid
from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import CertificateUnfit, public_point, read_end_entity
from keybroker.policy.trust import Anchor
from keybroker.terms import KeyUsage, RemotePartyRole
from tests import messages
from tests.policy.chains import (
    BITS,
    CN,
    EUI,
    FROM,
    ORGANISATION_KEY,
    OU,
    POLICIES,
    ROOT,
    TEST_ROOT,
    UID,
    UNTIL,
    UTF8,
    Plan,
    a_ca,
    a_private_key,
    a_root,
    an_issuing_ca,
    identifier_of,
    name,
    usage,
)


def spoilt_point(der: bytes) -> bytes:
    """The same certificate, its public point compressed and the lengths put right; the signature no longer holds."""
    point = public_point(der)
    compressed = bytes([2 + point[64] % 2]) + point[1:33]
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + point
    short = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + compressed
    tbs = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    assert spki in tbs
    body = tbs[4:].replace(spki, short)
    tail = der[4 + len(tbs) :]
    new_tbs = messages.der(0x30, body)
    return messages.der(0x30, new_tbs, tail)


UNFIT: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "in DER"),
    "no DER": (lambda: b"certificate", "in DER"),
    "trailing octets": (lambda: Plan().make() + b"\x00", "in DER"),
    "a cut certificate": (lambda: Plan().make()[:-1], "in DER"),
    "an unknown role": (lambda: Plan(subject=name((OU, "7E", UTF8), (UID, EUI, BITS))).make(), "Remote Party Role"),
    "a role in lower case": (lambda: Plan(subject=name((OU, "7f", UTF8), (UID, EUI, BITS))).make(), "upper-case"),
    "a decimal role": (lambda: Plan(subject=name((OU, "137", UTF8), (UID, EUI, BITS))).make(), "upper-case"),
    "no role": (lambda: Plan(subject=name((UID, EUI, BITS))).make(), "subject"),
    "no EUI": (lambda: Plan(subject=name((OU, "02", UTF8))).make(), "subject"),
    "EUI before role": (lambda: Plan(subject=name((UID, EUI, BITS), (OU, "02", UTF8))).make(), "subject"),
    "two roles": (lambda: Plan(subject=name((OU, "02", UTF8), (OU, "03", UTF8), (UID, EUI, BITS))).make(), "subject"),
    "another attribute": (
        lambda: Plan(subject=name((OU, "02", UTF8), (UID, EUI, BITS), (NameOID.TITLE, "x", UTF8))).make(),
        "subject",
    ),
    "one RDN of two attributes": (
        lambda: Plan(
            subject=x509.Name(
                [x509.RelativeDistinguishedName([x509.NameAttribute(OU, "02"), x509.NameAttribute(UID, EUI, BITS)])]
            )
        ).make(),
        "subject",
    ),
    "an EUI of seven octets": (lambda: Plan(subject=name((OU, "02", UTF8), (UID, EUI[:-1], BITS))).make(), "8 whole"),
    "an EUI with unused bits": (
        lambda: Plan(subject=name((OU, "02", UTF8), (UID, b"\x01" + EUI[1:-1] + b"\x02", BITS))).make(),
        "8 whole",
    ),
    "no key usage": (lambda: Plan(usage=None).make(), "critical key usage"),
    "a key usage that is not critical": (lambda: Plan(usage_critical=False).make(), "critical key usage"),
    **{
        f"usage {' and '.join(bits)}": (
            lambda bits=bits: Plan(usage=usage(*bits)).make(),  # type: ignore[misc]
            "exactly one",
        )
        for bits in (
            ("digital_signature", "key_agreement"),
            ("digital_signature", "content_commitment"),
            ("key_agreement", "encipher_only"),
            ("key_agreement", "decipher_only"),
            ("key_cert_sign",),
            ("crl_sign", "digital_signature"),
            ("key_encipherment",),
            ("data_encipherment",),
        )
    },
    "a CA that is named as an end entity": (
        lambda: Plan(constraints=x509.BasicConstraints(ca=True, path_length=None)).make(),
        "a CA's subject",
    ),
    "no subject key identifier": (lambda: Plan(identifier=None).make(), "subject key identifier"),
    "another subject key identifier": (lambda: Plan(identifier=bytes(8)).make(), "subject key identifier"),
    "a subject key identifier by method 1": (
        lambda: Plan(
            identifier=x509.SubjectKeyIdentifier.from_public_key(a_private_key(ORGANISATION_KEY).public_key()).digest
        ).make(),
        "method 2",
    ),
    "an unknown critical extension": (
        lambda: Plan(
            further=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)
        ).make(),
        "critical extension",
    ),
    "P-384": (lambda: Plan(public_key=ec.generate_private_key(ec.SECP384R1()).public_key()).make(), "P-256"),
    "RSA": (lambda: Plan(public_key=rsa.generate_private_key(65537, 2048).public_key()).make(), "P-256"),
    "ecdsa-with-SHA384": (lambda: Plan(algorithm=hashes.SHA384()).make(), "ecdsa-with-SHA256"),
    "a compressed point": (lambda: spoilt_point(Plan().make()), "uncompressed"),
    "version 1": (lambda: Plan().make().replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x00", 1), "version 3|DER"),
}


@pytest.mark.parametrize(("make", "expected"), UNFIT.values(), ids=UNFIT)
def test_refuses_an_end_entity_with(make: Callable[[], bytes], expected: str) -> None:
    with pytest.raises(CertificateUnfit, match=expected):
        read_chain([make(), an_issuing_ca()], [TEST_ROOT], revoked_at=None)


FALSE_CHAINS: dict[str, tuple[tuple[bytes, ...], tuple[Anchor, ...], str]] = {
    "no certificate": ((), (TEST_ROOT,), "in DER"),
    "no anchor": ((Plan().make(), an_issuing_ca()), (), "configured anchors"),
    "the issuer left out": ((Plan().make(),), (TEST_ROOT,), "configured anchors"),
    "the order turned round": ((an_issuing_ca(), Plan().make()), (TEST_ROOT,), "configured anchors"),
    "another root of the same name": (
        (Plan().make(), an_issuing_ca()),
        (Anchor(der=a_ca(ROOT, 99, ROOT, 99), test=True),),
        "configured anchors",
    ),
    "an anchor listed for test and for live": (
        (Plan().make(), an_issuing_ca()),
        (TEST_ROOT, Anchor(der=TEST_ROOT.der, test=False)),
        "either for test or for live",
    ),
    "an end entity signed by another key": (
        (Plan(signer=a_private_key(98)).make(), an_issuing_ca()),
        (TEST_ROOT,),
        "authority key identifier",
    ),
    "an end entity signed by another key without saying so": (
        (Plan(signer=a_private_key(98), authority=None).make(), an_issuing_ca()),
        (TEST_ROOT,),
        "signature",
    ),
    "an issuer of another name": (
        (Plan(issuer=name((OU, "07", UTF8), (CN, "T2", UTF8))).make(), an_issuing_ca()),
        (TEST_ROOT,),
        "of the name",
    ),
    "an issuer that is no CA": (
        (Plan().make(), an_issuing_ca(constraints=x509.BasicConstraints(ca=False, path_length=None))),
        (TEST_ROOT,),
        "that is a CA",
    ),
    "an issuer without basicConstraints": (
        (Plan().make(), an_issuing_ca(constraints=None)),
        (TEST_ROOT,),
        "that is a CA",
    ),
    "an issuer whose basicConstraints are not critical": (
        (Plan().make(), an_issuing_ca(constraints_critical=False)),
        (TEST_ROOT,),
        "that is a CA",
    ),
    "an issuer without keyCertSign": (
        (Plan().make(), an_issuing_ca(usage=usage("crl_sign"))),
        (TEST_ROOT,),
        "keyCertSign",
    ),
    "an issuer without key usage": ((Plan().make(), an_issuing_ca(usage=None)), (TEST_ROOT,), "keyCertSign"),
    "an issuer with a key identifier by another method": (
        (Plan(authority=bytes(8)).make(), an_issuing_ca(identifier=bytes(8))),
        (TEST_ROOT,),
        "subject key identifier",
    ),
    "an anchor that allows no CA below it": (
        (Plan().make(), an_issuing_ca()),
        (Anchor(der=a_root(constraints=x509.BasicConstraints(ca=True, path_length=0)), test=True),),
        "no more CAs",
    ),
    "an anchor that is no CA": (
        (Plan().make(), an_issuing_ca()),
        (Anchor(der=a_root(constraints=None), test=True),),
        "that is a CA",
    ),
    "an anchor that cannot be read": (
        (Plan().make(), an_issuing_ca()),
        (Anchor(der=b"anchor", test=True),),
        "in DER",
    ),
    "five certificates below the anchor": (
        (Plan().make(), *[an_issuing_ca()] * 4),
        (TEST_ROOT,),
        "at most 4",
    ),
}


@pytest.mark.parametrize(("der", "anchors", "expected"), FALSE_CHAINS.values(), ids=FALSE_CHAINS)
def test_refuses_a_chain_with(der: tuple[bytes, ...], anchors: tuple[Anchor, ...], expected: str) -> None:
    with pytest.raises(CertificateUnfit, match=expected):
        read_chain(der, anchors, revoked_at=None)


def test_refuses_an_anchor_of_another_algorithm() -> None:
    signer = ed25519.Ed25519PrivateKey.generate()
    ca = Plan(
        subject=ROOT,
        issuer=ROOT,
        public_key=signer.public_key(),
        signer=signer,
        algorithm=None,
        usage=usage("key_cert_sign"),
        constraints=x509.BasicConstraints(ca=True, path_length=None),
    )
    issuing = replace(Plan(signer=signer, algorithm=None), issuer=ROOT)
    with pytest.raises(CertificateUnfit, match="ecdsa-with-SHA256"):
        read_chain([issuing.make()], [Anchor(der=ca.make(), test=True)], revoked_at=None)


@pytest.mark.filterwarnings("ignore")  # the library warns of some mutations before it refuses or we do
def test_no_single_octet_changed_anywhere_in_the_end_entity_is_accepted() -> None:
    der, issuing = Plan(further=((POLICIES, True),)).make(), an_issuing_ca()
    for place in range(len(der)):
        for mask in (0x01, 0x80):
            mutated = der[:place] + bytes([der[place] ^ mask]) + der[place + 1 :]
            with pytest.raises(CertificateUnfit):
                read_chain([mutated, issuing], [TEST_ROOT], revoked_at=None)


def test_no_truncation_is_accepted() -> None:
    der = Plan().make()
    for length in range(len(der)):
        with pytest.raises(CertificateUnfit):
            read_end_entity(der[:length])


def test_an_unfit_certificate_stops_the_start_and_names_its_reason() -> None:
    assert issubclass(CertificateUnfit, ConfigurationInvalid)
    assert CertificateUnfit.reason == "CERTIFICATE_UNFIT"


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("with_anchor", [True, False])
def test_reads_a_good_chain(test: bool, with_anchor: bool) -> None:
    end_entity, issuing = Plan(further=((POLICIES, True),)).make(), an_issuing_ca()
    revoked_at = datetime(2026, 1, 1, tzinfo=UTC)
    anchor = Anchor(der=a_root(), test=test)
    given = [end_entity, issuing, *([anchor.der] if with_anchor else [])]
    facts = read_chain(given, [Anchor(der=a_ca(ROOT, 99, ROOT, 99), test=True), anchor], revoked_at=revoked_at)
    assert facts.der == (end_entity, issuing)
    assert facts.role is RemotePartyRole.SUPPLIER
    assert facts.eui == messages.SUPPLIER
    assert facts.serial == 0x1234
    assert facts.usage is KeyUsage.DIGITAL_SIGNATURE
    assert (facts.not_before, facts.not_after) == (FROM, UNTIL)
    assert facts.revoked_at == revoked_at
    assert facts.test_anchor is test
    point = public_point(end_entity)
    assert point == a_private_key(ORGANISATION_KEY).public_key().public_bytes(
        Encoding.X962, PublicFormat.UncompressedPoint
    )
    assert facts.subject_key_identifier == public_key_identifier(point) == identifier_of(Plan().public_key)


def test_reads_a_chain_whose_anchor_is_the_issuing_ca_and_whose_subject_has_a_name() -> None:
    subject = name((CN, "A Supplier", UTF8), (OU, "02", UTF8), (UID, EUI, BITS))
    end_entity = Plan(subject=subject, usage=usage("key_agreement"), authority=None).make()
    facts = read_chain([end_entity], [Anchor(der=an_issuing_ca(), test=True)], revoked_at=None)
    assert facts.usage is KeyUsage.KEY_AGREEMENT
    assert facts.der == (end_entity,)


def test_refuses_a_ca_whose_key_usage_is_not_critical() -> None:
    with pytest.raises(CertificateUnfit, match="CA's critical key usage"):
        read_end_entity(an_issuing_ca(usage_critical=False))


def test_a_chain_is_valid_while_every_certificate_in_it_is() -> None:
    later, sooner = FROM + timedelta(days=1), UNTIL - timedelta(days=1)
    facts = read_chain([Plan().make(), an_issuing_ca(not_before=later, not_after=sooner)], [TEST_ROOT], revoked_at=None)
    assert (facts.not_before, facts.not_after) == (later, sooner)


def test_an_anchor_that_another_anchor_issued_stands_in_the_chain_and_may_stand_on_a_list() -> None:
    issuing = an_issuing_ca()
    for listed in ((issuing, a_root()), (a_root(), issuing)):
        facts = read_chain([Plan().make()], [Anchor(der=each, test=True) for each in listed], revoked_at=None)
        assert len(facts.issuers) == len(facts.serials) == 2


def test_reads_an_end_entity_that_says_it_is_no_ca() -> None:
    facts = read_end_entity(Plan(constraints=x509.BasicConstraints(ca=False, path_length=None)).make())
    assert facts.role is RemotePartyRole.SUPPLIER


def test_refuses_a_signature_with_unused_bits() -> None:
    der = Plan().make()
    signature = x509.load_der_x509_certificate(der).signature
    while signature[-1] % 2:  # an odd last octet leaves no bit that could be called unused
        der = Plan().make()
        signature = x509.load_der_x509_certificate(der).signature
    place = len(der) - len(signature) - 1
    with pytest.raises(CertificateUnfit, match="whole octets"):
        read_end_entity(der[:place] + b"\x01" + der[place + 1 :])
