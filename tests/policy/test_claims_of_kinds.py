"""Of which kinds of content every use takes something from the ledger: readiness says so, and the rules do it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.policy.rules import always_claims, claims
from keybroker.terms import ContentKind, DeploymentKind, KeyPurpose
from tests import agreed, certificates, lists
from tests.content.handshakes import client_handshake, handshake
from tests.content.test_prepayment import GOOD as TOP_UP
from tests.content.test_smets1 import ADD_CREDIT, APDU, GENERAL, GET, SET, instruction, response
from tests.gates.test_anomaly_threshold import SMETS1, with_mac
from tests.policy.test_response_rules import encrypted, protected
from tests.situations import a_content, a_key, a_situation

CERTIFIED = certificates.beside(certificates.a_request())
OF_KIND: Mapping[ContentKind, tuple[Content, ...]] = {
    ContentKind.PRE_COMMAND: (a_content(),),
    ContentKind.COMMAND: (a_content(KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND),),
    ContentKind.CERTIFICATE_SIGNING_REQUEST: (
        decode(ContentKind.CERTIFICATE_SIGNING_REQUEST, certificates.compose_info()),
    ),
    ContentKind.AUDIT_CHECKPOINT: (a_content(KeyPurpose.AUDIT_CHECKPOINT),),
    ContentKind.CERTIFICATE: (
        decode(ContentKind.CERTIFICATE, certificates.compose(), CERTIFIED),
        decode(ContentKind.CERTIFICATE, certificates.an_oca(), CERTIFIED),
    ),
    ContentKind.ROOT_CERTIFICATE: (decode(ContentKind.ROOT_CERTIFICATE, certificates.a_root()),),
    ContentKind.CERTIFICATE_REVOCATION_LIST: (
        decode(ContentKind.CERTIFICATE_REVOCATION_LIST, lists.compose()),
        decode(ContentKind.CERTIFICATE_REVOCATION_LIST, lists.compose(entries=None)),
    ),
    ContentKind.COMMAND_BEFORE_MAC: (with_mac(),),
    ContentKind.PROTECTED_RESPONSE: (protected(),),
    ContentKind.ENCRYPTED_RESPONSE: (encrypted(),),
    ContentKind.PREPAYMENT_TOP_UP: (decode(ContentKind.PREPAYMENT_TOP_UP, TOP_UP, agreed.beside()),),
    ContentKind.SERVICE_REQUEST: (SMETS1,),
    ContentKind.SMETS1_INSTRUCTION: tuple(map(instruction, (GET, SET, ADD_CREDIT))),
    ContentKind.SMETS1_RESPONSE: tuple(map(response, (APDU, GENERAL))),
    ContentKind.TLS_HANDSHAKE: (handshake(b"\x04" + client_handshake()),),
}
"""Good contents of each kind: where not every use takes something, one that takes nothing."""


@pytest.mark.parametrize("kind", ContentKind)
def test_what_every_use_of_a_kind_is_said_to_take_is_what_the_rules_claim(kind: ContentKind) -> None:
    situation = a_situation(deployment=DeploymentKind.TEST)
    assert {content.kind for content in OF_KIND[kind]} == {kind}
    assert {bool(claims(content, a_key(), situation)) for content in OF_KIND[kind]} == {always_claims(kind)}
