"""Certificates that come with requests: why one is not relied on; then what one says that is."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keybroker.policy.certificates import CertificateUnfit, public_point
from keybroker.policy.device_certificates import read_device_certificate
from keybroker.policy.model import Situation
from keybroker.policy.relying import rely_on, rely_on_device
from keybroker.policy.trust import Anchor, Trust
from keybroker.terms import DeploymentKind, KeyUsage, RemotePartyRole
from tests import lists, messages
from tests.lists import AT, HOUR, a_list, an_arl, entry
from tests.policy import authorities, chains
from tests.policy.authorities import ISSUING, ROOT, ROOT_IDENTITY
from tests.policy.chains import CN, FROM, UNTIL, UTF8, Plan, a_private_key, name, usage

RTDS = os.environ.get("KEYBROKER_RTDS", "")
SECOND = timedelta(seconds=1)
# RFC 6979 appendix A.2.5 prints this P-256 private key.
PUBLISHED = a_private_key(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721)
ORGANISATION = Plan().make()
CHAIN = (ORGANISATION, ISSUING)


def situation(*, arl: bytes | None = None, crl: bytes | None = None, **changes: Any) -> Situation:
    return authorities.a_situation(trust=authorities.a_trust(arl=arl, crl=crl), **changes)


def without(identity: bytes) -> Situation:
    given = situation()
    kept = {issuer: held for issuer, held in given.trust.lists.items() if issuer != identity}
    return replace(given, trust=replace(given.trust, lists=kept))


def trusting(*anchors: Anchor) -> Situation:
    given = situation()
    return replace(given, trust=replace(given.trust, organisation=anchors))


STALE_CRL = a_list(entries=None, this_update=lists.utc(AT - 13 * HOUR), next_update=lists.utc(AT - HOUR))
FUTURE_CRL = a_list(entries=None, this_update=lists.utc(AT + SECOND), next_update=lists.utc(AT + HOUR))
SHORT_LIVED_ISSUER = chains.an_issuing_ca(not_after=AT - SECOND)
FOREIGN_ROOT = Anchor(der=chains.a_ca(chains.ROOT, 98, chains.ROOT, 98), test=True)

REFUSED: dict[str, tuple[tuple[bytes, ...], Situation, str]] = {
    "nothing": ((), situation(), "in DER"),
    "no certificate": ((b"x",), situation(), "in DER"),
    "trailing octets": ((ORGANISATION + b"\x00", ISSUING), situation(), "in DER"),
    "expired": (CHAIN, situation(at=UNTIL + SECOND), "valid at 2035"),
    "not yet valid": (CHAIN, situation(at=FROM - SECOND), "valid at 2024"),
    "an expired issuer": ((ORGANISATION, SHORT_LIVED_ISSUER), situation(), "found one valid from"),
    "a foreign anchor": (CHAIN, trusting(FOREIGN_ROOT), "configured anchors"),
    "no anchor": (CHAIN, trusting(), "configured anchors"),
    "its issuer missing": ((ORGANISATION,), situation(), "configured anchors"),
    "a test anchor in a live deployment": (CHAIN, situation(deployment=DeploymentKind.LIVE), "a live deployment"),
    "a live anchor in a test deployment": (CHAIN, trusting(Anchor(der=ROOT, test=False)), "a test deployment"),
    "revoked": (CHAIN, situation(crl=a_list(entries=(entry(0x1234),))), "serial 1234 revoked at"),
    "an issuer that is revoked": (CHAIN, situation(arl=an_arl(entries=(entry(0x1234),))), "serial 1234 revoked at"),
    "no CRL of its issuer": (CHAIN, without(authorities.ISSUING_IDENTITY), "no revocation list of the issuer"),
    "no ARL of the root": (CHAIN, without(ROOT_IDENTITY), "no revocation list of the issuer"),
    "a stale CRL": (CHAIN, situation(crl=STALE_CRL), "a revocation list for"),
    "a CRL that is not yet current": (CHAIN, situation(crl=FUTURE_CRL), "a revocation list for"),
    "a CA": ((ISSUING,), situation(), "found a CA's"),
    "the anchor itself": ((ROOT,), situation(), "found a CA's"),
    "a Device Certificate": ((b"",), situation(), "in DER"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_does_not_rely_on_an_organisation_certificate(case: str) -> None:
    der, given, expected = REFUSED[case]
    with pytest.raises(CertificateUnfit) as refusal:
        rely_on(der, given)
    assert expected in refusal.value.sentence


@pytest.mark.parametrize("der", [CHAIN, [*CHAIN, ROOT]], ids=["without its anchor", "with it"])
@pytest.mark.parametrize("at", [AT, AT + 12 * HOUR])
def test_relies_on_an_organisation_certificate(der: Any, at: datetime) -> None:
    facts = rely_on(der, situation(at=at))
    assert (facts.eui, facts.role, facts.usage) == (
        messages.SUPPLIER,
        RemotePartyRole.SUPPLIER,
        KeyUsage.DIGITAL_SIGNATURE,
    )
    assert facts.issuers == (authorities.ISSUING_IDENTITY, ROOT_IDENTITY)


def test_does_not_rely_on_a_published_test_key_in_a_live_deployment() -> None:
    published = Plan(public_key=PUBLISHED.public_key()).make()
    live = tuple(replace(anchor, test=False) for anchor in situation().trust.organisation)
    given = trusting(*live)
    with pytest.raises(CertificateUnfit, match="published test key"):
        rely_on((published, *CHAIN[1:]), replace(given, deployment=DeploymentKind.LIVE))
    assert rely_on(CHAIN, replace(given, deployment=DeploymentKind.LIVE)).eui == messages.SUPPLIER


def test_what_was_relied_on_once_is_not_relied_on_when_it_is_revoked() -> None:
    rely_on(CHAIN, situation())
    with pytest.raises(CertificateUnfit):
        rely_on(CHAIN, situation(crl=a_list(entries=(entry(0x1234),), number=8)))


# ---- Devices


DEVICE_CA, DEVICE_ROOT = name((CN, "0001", UTF8)), name((CN, "0000", UTF8))
ENDLESS = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
HARDWARE = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")


def module_name(serial: bytes = messages.DEVICE.octets, tail: bytes = b"") -> bytes:
    return messages.der(0x30, bytes.fromhex("06032a0304"), messages.der(0x04, serial), tail)


def names(value: bytes | None = None, *more: x509.GeneralName, oid: x509.ObjectIdentifier = HARDWARE) -> Any:
    other = x509.OtherName(oid, module_name() if value is None else value)
    return x509.SubjectAlternativeName([other, *more])


def a_device(**changes: Any) -> bytes:
    san, critical = changes.pop("names", names()), changes.pop("names_critical", True)
    policies = changes.pop("policies", ((chains.POLICIES, True),))
    further = ((san, critical),) if san is not None else ()
    wanted: dict[str, Any] = {
        "subject": x509.Name([]),
        "issuer": DEVICE_CA,
        "usage": usage("key_agreement"),
        "further": (*further, *policies),
        "not_after": ENDLESS,
    }
    return Plan(**(wanted | changes)).make()


def a_device_ca(**changes: Any) -> bytes:
    return chains.a_ca(DEVICE_CA, chains.ISSUING_KEY, DEVICE_ROOT, chains.ROOT_KEY, **changes)


DEVICE, ISSUER = a_device(), a_device_ca()
FORGED = a_device(signer=a_private_key(97), authority=lists.identifier())
DEVICE_ANCHOR = Anchor(der=chains.a_ca(DEVICE_ROOT, chains.ROOT_KEY, DEVICE_ROOT, chains.ROOT_KEY), test=True)


def among_devices(*anchors: Anchor, **changes: Any) -> Situation:
    return authorities.a_situation(trust=Trust(device=anchors or (DEVICE_ANCHOR,)), **changes)


UNFIT_DEVICES: dict[str, tuple[bytes, str]] = {
    "no certificate": (b"x", "in DER"),
    "trailing octets": (DEVICE + b"\x00", "in DER"),
    "a subject": (a_device(subject=name((CN, "x", UTF8))), "empty subject"),
    "an issuer of more than a name": (a_device(issuer=chains.ISSUING), "common name alone"),
    "an issuer of another attribute": (a_device(issuer=name((NameOID.TITLE, "x", UTF8))), "common name alone"),
    "no name": (a_device(names=None), "critical subjectAltName"),
    "a name that is not critical": (a_device(names_critical=False), "critical subjectAltName"),
    "two names": (a_device(names=names(None, x509.DNSName("x"))), "one hardwareModuleName"),
    "a host's name": (a_device(names=x509.SubjectAlternativeName([x509.DNSName("x")])), "one hardwareModuleName"),
    "another kind of name": (a_device(names=names(oid=x509.ObjectIdentifier("1.2.3"))), "one hardwareModuleName"),
    "an EUI of seven octets": (a_device(names=names(module_name(bytes(7)))), "8 octets"),
    "no serial number": (a_device(names=names(messages.der(0x30, bytes.fromhex("06032a0304")))), "serial number"),
    "a name with more in it": (a_device(names=names(module_name(tail=b"\x05\x00"))), "no further member"),
    "both usages": (a_device(usage=usage("key_agreement", "digital_signature")), "exactly one"),
    "a usage that is not critical": (a_device(usage_critical=False), "critical key usage"),
    "no policies": (a_device(policies=()), "critical certificate policies"),
    "policies that are not critical": (a_device(policies=((chains.POLICIES, False),)), "critical certificate policies"),
    "no subject key identifier": (a_device(identifier=None), "subject key identifier"),
    "a subject key identifier by method 1": (a_device(identifier=bytes(20)), "subject key identifier"),
    "no authority key identifier": (a_device(authority=None), "authority key identifier"),
    "a CA": (a_device(constraints=x509.BasicConstraints(ca=True, path_length=None)), "no CA"),
    "another critical extension": (
        a_device(policies=((chains.POLICIES, True), (x509.InhibitAnyPolicy(0), True))),
        "critical extension",
    ),
    "an Organisation Certificate": (ORGANISATION, "empty subject"),
}


@pytest.mark.parametrize("case", UNFIT_DEVICES)
def test_refuses_a_device_certificate_with(case: str) -> None:
    der, expected = UNFIT_DEVICES[case]
    with pytest.raises(CertificateUnfit) as refusal:
        rely_on_device((der, ISSUER), among_devices())
    assert expected in refusal.value.sentence


@pytest.mark.parametrize(
    ("der", "given", "expected"),
    [
        ((), among_devices(), "in DER"),
        ((DEVICE,), among_devices(), "configured anchors"),
        ((DEVICE, ISSUER), among_devices(FOREIGN_ROOT), "configured anchors"),
        ((DEVICE, ISSUER), authorities.a_situation(), "configured anchors"),
        ((DEVICE, a_device_ca(public_key=a_private_key(97).public_key())), among_devices(), "authority key"),
        ((FORGED, ISSUER), among_devices(), "a signature that verifies"),
        ((DEVICE, a_device_ca(not_after=AT - SECOND)), among_devices(), "valid from"),
        ((a_device(not_after=AT - SECOND), ISSUER), among_devices(), "valid from"),
        ((DEVICE, ISSUER), among_devices(at=FROM - SECOND), "valid from"),
        ((DEVICE, ISSUER), among_devices(deployment=DeploymentKind.LIVE), "a live deployment"),
        ((DEVICE, ISSUER), among_devices(replace(DEVICE_ANCHOR, test=False)), "a test deployment"),
        ((a_device(signer=a_private_key(97)), ISSUER), among_devices(), "authority key identifier"),
        ((DEVICE, ORGANISATION, ISSUER), among_devices(), "a CA"),
    ],
    ids=[
        "nothing",
        "its issuer missing",
        "a foreign anchor",
        "no Device anchor",
        "an issuer of another key",
        "a forged Device",
        "an expired issuer",
        "an expired Device",
        "a Device of the future",
        "a live deployment",
        "a live anchor",
        "another signer",
        "an issuer that is no CA",
    ],
)
def test_does_not_rely_on_a_device_certificate(der: tuple[bytes, ...], given: Situation, expected: str) -> None:
    with pytest.raises(CertificateUnfit) as refusal:
        rely_on_device(der, given)
    assert expected in refusal.value.sentence


@pytest.mark.parametrize("bits", ["key_agreement", "digital_signature"])
def test_relies_on_a_device_certificate_that_never_ends_and_stands_on_no_list(bits: str) -> None:
    device = a_device(usage=usage(bits))
    facts = rely_on_device([device, ISSUER], among_devices())
    assert facts.eui == messages.DEVICE
    assert facts.public_point == public_point(device)
    assert facts.usage is (KeyUsage.KEY_AGREEMENT if bits == "key_agreement" else KeyUsage.DIGITAL_SIGNATURE)
    assert (facts.not_before, facts.not_after) == (FROM, ENDLESS)
    # A Device CA may itself be the anchor.
    assert rely_on_device([device], among_devices(Anchor(der=ISSUER, test=True))) == facts


def test_an_organisation_anchor_is_no_device_anchor_nor_the_reverse() -> None:
    with pytest.raises(CertificateUnfit):
        rely_on(CHAIN, among_devices(chains.TEST_ROOT))
    with pytest.raises(CertificateUnfit):
        rely_on_device((DEVICE, ISSUER), trusting(DEVICE_ANCHOR))


def test_what_octets_and_anchors_decide_is_decided_once() -> None:
    given = among_devices()
    rely_on_device((DEVICE, ISSUER), given)
    begun = time.perf_counter()
    for _ in range(1000):
        rely_on_device((DEVICE, ISSUER), given)
    # Two signatures alone would take a hundred times as long.
    assert (time.perf_counter() - begun) / 1000 < 50e-6


@pytest.mark.rtds
@pytest.mark.skipif(not RTDS, reason="KEYBROKER_RTDS is unset: the published Device Certificates are not looked at")
def test_the_published_device_certificates_are_of_this_profile() -> None:
    seen = 0
    for path in sorted(Path(RTDS, "keys").glob("00db*.pem")):
        text = path.read_bytes()
        if b"BEGIN CERTIFICATE" not in text:
            continue
        facts = read_device_certificate(x509.load_pem_x509_certificate(text).public_bytes(Encoding.DER))
        eui, _, kind = path.stem.partition("-")
        assert str(facts.eui).replace("-", "").lower() == eui
        assert facts.usage is (KeyUsage.KEY_AGREEMENT if kind == "ka" else KeyUsage.DIGITAL_SIGNATURE)
        seen += 1
    assert seen
