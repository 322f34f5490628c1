"""Policy on the DCC's published vectors (KEYBROKER_RTDS): their certificates, their keys, their Commands."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.content.decoding import decode
from keybroker.content.model import GbcsCommand
from keybroker.errors import NotPermitted
from keybroker.policy import decide
from keybroker.policy.certificates import CertificateUnfit, public_point, read_end_entity
from keybroker.policy.published_test_keys import is_published_test_key
from keybroker.policy.rules.key import not_a_published_test_key
from keybroker.terms import ContentKind, DeploymentKind, EntityIdentifier, KeyPurpose, KeyUsage, RemotePartyRole
from tests.situations import USER_PURPOSES, a_caller, a_certificate, a_key, a_policy, a_situation

RTDS = os.environ.get("KEYBROKER_RTDS", "")
pytestmark = [
    pytest.mark.rtds,
    pytest.mark.skipif(not RTDS, reason="KEYBROKER_RTDS is unset: the published vectors are not looked at"),
]

PURPOSES: Mapping[RemotePartyRole, KeyPurpose] = {
    RemotePartyRole.SUPPLIER: KeyPurpose.SUPPLIER_PRE_COMMAND,
    RemotePartyRole.NETWORK_OPERATOR: KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND,
    RemotePartyRole.LOAD_CONTROLLER: KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND,
    RemotePartyRole.ACCESS_CONTROL_BROKER: KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
    RemotePartyRole.TRANSITIONAL_COS: KeyPurpose.COS_PARTY_COMMAND,
    RemotePartyRole.WAN_PROVIDER: KeyPurpose.WAN_PROVIDER_COMMAND,
    RemotePartyRole.RECOVERY: KeyPurpose.RECOVERY_COMMAND,
}


def certificates() -> Mapping[str, bytes]:
    """DER by file name, of what is a certificate."""
    texts = {path.name: path.read_bytes() for path in sorted(Path(RTDS, "keys").glob("*.pem"))}
    return {
        name: x509.load_pem_x509_certificate(text).public_bytes(Encoding.DER)
        for name, text in texts.items()
        if b"BEGIN CERTIFICATE" in text
    }


def originators() -> Mapping[EntityIdentifier, KeyPurpose]:
    facts = [read_end_entity(der) for name, der in certificates().items() if not name.startswith("00db")]
    return {
        fact.eui: PURPOSES[fact.role]
        for fact in facts
        if fact.usage is KeyUsage.DIGITAL_SIGNATURE and fact.eui is not None
    }


def signed_messages() -> list[tuple[str, bytes]]:
    """Every PRECOMMAND, and every signed COMMAND up to the end of its content (handbook 1.2, 1.6, 1.7)."""
    found = []
    for line in Path(RTDS, "rtds.jsonl").read_text().splitlines():
        row = json.loads(line)
        octets = bytes.fromhex(row["hex"])
        if row["kind"] == "PRECOMMAND":
            found.append((row["name"], octets))
        if row["kind"] == "COMMAND":
            inner = octets[octets.index(b"\xdf\x09") : -12] if octets[0] == 0xDD else octets
            end = end_of_content(inner)
            if inner[end : end + 1] == b"\x40":
                found.append((row["name"], inner[:end]))
    return found


def end_of_content(octets: bytes) -> int:
    """Other-information begins at offset 30 and the content after it, each behind its length octets."""
    place = 30
    for _ in ("other-information", "content"):
        more = octets[place] & 0x7F if octets[place] & 0x80 else 0
        length = int.from_bytes(octets[place + 1 : place + 1 + more], "big") if more else octets[place]
        place += 1 + more + length
    return place


def test_reads_the_published_organisation_certificates_and_no_device_certificate() -> None:
    for name, der in certificates().items():
        if name.startswith("00db"):
            with pytest.raises(CertificateUnfit):
                read_end_entity(der)
            continue
        facts = read_end_entity(der)
        assert (facts.usage is KeyUsage.DIGITAL_SIGNATURE) is name.endswith("-ds.pem")
        # One file bears another party's name (handbook 1.12).
        if name != "90b3d51f30000007-ka.pem":
            assert str(facts.eui).replace("-", "").lower() == name[:16]


def test_every_published_key_is_known_and_a_live_deployment_refuses_it() -> None:
    live = a_situation(deployment=DeploymentKind.LIVE)
    for der in certificates().values():
        point = public_point(der)
        assert is_published_test_key(point)
        assert not_a_published_test_key(a_key(public_key=point), live).found == "a published test key"
        assert not_a_published_test_key(a_key(public_key=point), a_situation()).passed


def judge(octets: bytes, purposes: Mapping[EntityIdentifier, KeyPurpose]) -> GbcsCommand:
    """Decide with the key of the message's originator. Raises: NotPermitted."""
    purpose = purposes[EntityIdentifier(octets[12:20])]
    kind = ContentKind.PRE_COMMAND if purpose in USER_PURPOSES else ContentKind.COMMAND
    content = decode(kind, octets)
    assert isinstance(content, GbcsCommand)
    eui = content.originator
    key = replace(a_key(purpose), eui=eui, certificate=a_certificate(purpose, eui=eui))
    caller = a_caller(purpose, euis=frozenset({eui}))
    decide(content, key=key, caller=caller, policy=a_policy(purpose), situation=a_situation(purpose))
    return content


def test_allows_every_message_that_its_originator_signed_but_the_signature_variant_of_a_supplier() -> None:
    purposes, outcomes = originators(), Counter[str]()
    for name, octets in signed_messages():
        try:
            judge(octets, purposes)
            outcomes["allowed"] += 1
        except NotPermitted as refusal:
            failed = [finding.rule for finding in refusal.findings if not finding.passed]
            if octets[31:33] == b"\x01\x07":
                # A change of supplier, published without the incoming Supplier's Service Request.
                assert {rule[:19] for rule in failed} == {"change-of-supplier-"}, name
                continue
            assert failed == ["message-code-critical", "message-code-for-purpose"], name
            assert octets[31:33] == b"\x01\x1b", name
            outcomes["refused"] += 1
    assert outcomes["allowed"] > 0
    assert outcomes["refused"] <= 1
