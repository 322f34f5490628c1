"""Do others accept what the broker signs, and does it accept what others sign? Every published DUIS template.

Each is signed by the line with keys on SoftHSM, and verified by the DCC's own tool (Java's XML Signature, against the
DUIS schema) and by xmlsec1; each is signed by that tool, and read and verified here. The tools are fetched when the
tests run.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keybroker.client.duis import strip_white_space
from keybroker.content.duis.document import read_document
from keybroker.content.duis.xml_signature import names_issuer
from keybroker.content.signed_object import signature_verifies
from keybroker.errors import NotPermitted
from keybroker.hsm.generate import generate_key
from keybroker.ledger.model import Concluded
from keybroker.policy.model import RegisteredKey
from keybroker.signing import Outcome
from keybroker.terms import EntityIdentifier, KeyLabel, KeyPurpose
from tests import duis, duis_line
from tests.hsm.tokens import make_softhsm, opened
from tests.interop.tools import Tools, find_tools
from tests.ledger import books
from tests.policy import chains
from tests.situations import a_point, a_policy

pytestmark = [pytest.mark.interop, pytest.mark.hsm, pytest.mark.slow]

OWN_KEY = 61
"""The scalar of the key that the other tool signs with."""
EUIS = {
    "supplier": "90-B3-D5-1F-30-01-00-00",
    "network-operator": "90-B3-D5-1F-30-02-00-00",
    "another-user": "90-B3-D5-1F-30-03-00-00",
    "load-controller": "90-B3-D5-1F-30-01-00-08",
    "access-control-broker": "90-B3-D5-1F-30-00-00-02",
}
"""Originators of the templates; each has a key here. The Access Control Broker's requests are signed with a DSP's."""


def bare(template: bytes) -> bytes:
    """Without the placeholder signature, comments and white space between elements."""
    unsigned = re.sub(rb"<ds:Signature.*</ds:Signature>", b"", template, flags=re.DOTALL)
    return strip_white_space(re.sub(rb"<!--.*?-->", b"", unsigned, flags=re.DOTALL).replace(b"\r\n", b"\n"))


def originator(document: bytes) -> str:
    found = re.search(rb"<sr:RequestID>([0-9A-F-]{23}):", document)
    assert found is not None
    return found[1].decode()


@dataclass(frozen=True)
class Signed:
    """``outcomes`` are those of the line; ``places`` the signed documents that came of them."""

    documents: Mapping[str, bytes]
    keys: Mapping[str, RegisteredKey]
    outcomes: Mapping[str, Outcome]
    places: Mapping[str, Path]
    certificates: Mapping[str, Path]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return find_tools(tmp_path_factory.mktemp("interop"))


@pytest.fixture(scope="module")
def signed(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """Every template with a key here, signed by the line in one batch."""
    directory = tmp_path_factory.mktemp("signed")
    documents = {path.name: bare(path.read_bytes()) for path in tools.templates}
    documents = {name: octets for name, octets in documents.items() if originator(octets) in EUIS.values()}
    with opened(make_softhsm(directory / "token")) as token, books.a_book(directory) as journal:
        held: dict[str, RegisteredKey] = {}
        for label, eui in EUIS.items():
            dcc = label == "access-control-broker"
            purpose = KeyPurpose.DSP_XML if dcc else KeyPurpose.USER_XML
            point = generate_key(token, KeyLabel(label), a_policy(purpose), signs_request=False)
            ou = "89" if dcc else "87"
            held[eui] = duis_line.a_key(label, purpose, ou, EntityIdentifier.from_text(eui), point)
        keys = {name: held[originator(octets)] for name, octets in documents.items()}
        line = duis_line.a_line(journal, token, *held.values())
        outcomes = duis_line.sign_all(line, keys, documents)
    places = {name: directory / name for name, each in outcomes.items() if isinstance(each, Concluded)}
    for name, place in places.items():
        place.write_bytes(duis_line.whole(outcomes[name]))
    certificates = {label: _write_certificate(directory / f"{label}.pem", held[eui]) for label, eui in EUIS.items()}
    return Signed(documents, keys, outcomes, places, certificates)


def _write_certificate(place: Path, key: RegisteredKey) -> Path:
    assert key.certificate_der is not None
    place.write_bytes(x509.load_der_x509_certificate(key.certificate_der).public_bytes(Encoding.PEM))
    return place


def test_every_template_with_a_key_here_is_signed_and_those_that_disagree_with_the_table_are_listed(
    tools: Tools, signed: Signed
) -> None:
    assert len(signed.documents) == len(tools.templates) > 250
    refused = {
        name: [finding.rule for finding in outcome.findings if not finding.passed]
        for name, outcome in signed.outcomes.items()
        if isinstance(outcome, NotPermitted)
    }
    print(f"templates {len(tools.templates)}, signed {len(signed.places)}, not as the table has it: {refused}")
    assert refused == DISAGREE_WITH_THE_TABLE
    assert len(signed.places) == len(signed.documents) - len(refused)


DISAGREE_WITH_THE_TABLE = {
    "8.6_SERVICE_OPTIN_REQUEST_DUIS.XML": ["user-role-eligible"],
    "CS02bACBByACB_8.5_SUCCESS_REQUEST_DUIS.XML": ["user-role-eligible"],
}
"""Service Opt In and Opt Out, for which no User Role is eligible. 7.12 to 7.15 and 6.20 agree with the corrections."""


def test_the_dcc_tool_accepts_what_the_broker_signed(tools: Tools, signed: Signed) -> None:
    lines = [("validate", place, signed.certificates[signed.keys[name].label]) for name, place in signed.places.items()]
    answers = tools.run(lines)
    assert set(answers) == {str(place) for place in signed.places.values()}
    assert {place: said for place, (code, said) in answers.items() if code != "SUCCESS"} == {}


def test_the_dcc_tool_refuses_what_was_changed_after_it_was_signed(
    tools: Tools, signed: Signed, tmp_path: Path
) -> None:
    name, place = next(iter(signed.places.items()))
    changed = tmp_path / name
    changed.write_bytes(
        place.read_bytes().replace(b"<sr:CommandVariant>", b"<sr:CommandVariant>", 1).replace(b":1", b":2")
    )
    ((code, _),) = tools.run([("validate", changed, signed.certificates[signed.keys[name].label])]).values()
    assert code == "VALIDATION_FAIL"


def test_xmlsec_accepts_what_the_broker_signed(signed: Signed) -> None:
    refused = {}
    for name, place in signed.places.items():
        certificate = signed.certificates[signed.keys[name].label]
        command = ["xmlsec1", "--verify", "--pubkey-cert-pem", str(certificate), str(place)]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
        if ran.returncode:
            refused[name] = ran.stderr
    assert refused == {}


def test_what_the_dcc_tool_signs_verifies_here(tools: Tools, signed: Signed, tmp_path: Path) -> None:
    certificate, key = duis.a_certificate(OWN_KEY, "87"), tmp_path / "key.pem"
    stated = tmp_path / "certificate.pem"
    stated.write_bytes(x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM))
    key.write_bytes(chains.a_private_key(OWN_KEY).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    lines = []
    for name, octets in signed.documents.items():
        (tmp_path / name).write_bytes(octets)
        lines.append(("sign", tmp_path / name, stated, key, tmp_path / f"{name}.signed"))
    answers = tools.run(lines)
    assert {place: said for place, (code, said) in answers.items() if code != "SUCCESS"} == {}
    for name in signed.documents:
        signature = read_document((tmp_path / f"{name}.signed").read_bytes(), signed=True).signature
        assert signature is not None
        assert signature_verifies(a_point(OWN_KEY), signature.signed_info, signature.signature), name
        assert names_issuer(signature, certificate)
