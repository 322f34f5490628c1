"""An Issuing OCA and a Root OCA as the register and the line know them, for the rules of what they sign."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import authority_identity, public_point
from keybroker.policy.model import RegisteredKey, Situation
from keybroker.policy.revocation import read_revocation_list
from keybroker.policy.trust import Anchor, Trust
from keybroker.terms import (
    Caller,
    CallerKind,
    DeploymentKind,
    KeyLabel,
    KeyPurpose,
    KeyState,
    Operation,
    PartyName,
    Provenance,
    SystemName,
)
from tests import lists
from tests.policy import chains
from tests.situations import AT, ORIGIN, packaged_policies

ROOT, ISSUING = chains.TEST_ROOT.der, chains.an_issuing_ca()
ANCHORS: tuple[Anchor, ...] = (chains.TEST_ROOT,)
ROOT_IDENTITY, ISSUING_IDENTITY = (authority_identity(public_point(der)) for der in (ROOT, ISSUING))
_CERTIFICATES = {KeyPurpose.ROOT_OCA: ROOT, KeyPurpose.ISSUING_OCA: ISSUING}


def a_trust(*, arl: bytes | None = None, crl: bytes | None = None) -> Trust:
    """The root, its ARL and the Issuing OCA's CRL; both list nobody unless they are given."""
    held = [arl or lists.an_arl(), crl or lists.a_list(entries=None)]
    read = [read_revocation_list(der, (ROOT, ISSUING)) for der in held]
    return Trust(organisation=ANCHORS, lists={each.issuer_identity: each for each in read})


def an_authority(purpose: KeyPurpose = KeyPurpose.ISSUING_OCA, **changes: Any) -> RegisteredKey:
    der = _CERTIFICATES[purpose]
    key = RegisteredKey(
        label=KeyLabel(purpose.value),
        purpose=purpose,
        party=PartyName("dcc"),
        state=KeyState.ACTIVE,
        provenance=Provenance.GENERATED,
        public_key=public_point(der),
        eui=None,
        certificate=read_chain((der,), ANCHORS, revoked_at=None),
    )
    return replace(key, **changes)


def a_caller(purpose: KeyPurpose = KeyPurpose.ISSUING_OCA, **changes: Any) -> Caller:
    caller = Caller(
        identity="uri:urn:keybroker:dcc:certification",
        party=PartyName("dcc"),
        system=SystemName("certification"),
        kind=CallerKind.DCC_SERVICE,
        user_roles=frozenset(),
        euis=frozenset(),
        operations=packaged_policies()[purpose].operations,
        keys=frozenset({KeyLabel(purpose.value)}),
    )
    return replace(caller, **changes)


def a_situation(operation: Operation = Operation.SIGN_REVOCATION_LIST, **changes: Any) -> Situation:
    situation = Situation(
        deployment=DeploymentKind.TEST, ledger_origin=ORIGIN, operation=operation, at=AT, trust=a_trust()
    )
    return replace(situation, **changes)
