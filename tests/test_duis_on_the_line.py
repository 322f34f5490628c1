"""DUIS XML and changes of supplier down the whole line; only the module is the fake one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from keybroker.content.assembly import assemble
from keybroker.content.decoding import decode
from keybroker.content.duis.document import read_document
from keybroker.content.duis.xml_signature import names_issuer
from keybroker.content.model import Accompanying
from keybroker.content.signed_object import signature_verifies
from keybroker.errors import CheckNotShown, EvidenceSpent, NotPermitted
from keybroker.ledger.model import Concluded, GivenAgain
from keybroker.policy.model import RegisteredKey
from keybroker.signing import Ask, Line, Outcome, sign_batch
from keybroker.terms import AccompanyingKind, ContentKind, EntityIdentifier, KeyLabel, KeyPurpose, Operation
from tests import duis, duis_line, evidence, messages
from tests.duis_line import a_key, an_ask, whole
from tests.fakes import FakeModule
from tests.gates import checks
from tests.ledger import books
from tests.policy import chains
from tests.policy.xml_signing import (
    INCOMING,
    INCOMING_CHAIN,
    a_change_of_supplier,
    a_credentials_command,
    replacements_for,
    signed_by_incoming,
    supplier_certificates,
)
from tests.situations import AT

USER_XML, COS_PARTY = KeyPurpose.USER_XML, KeyPurpose.COS_PARTY_COMMAND


@dataclass(frozen=True)
class Stage:
    line: Line
    keys: dict[str, RegisteredKey]

    def asked(self, ask: Ask) -> Outcome:
        return sign_batch(self.line, (ask,), AT)[0]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    module = FakeModule()
    points = {name: module.add(name, chains.a_private_key(scalar)) for name, scalar in (("xml", 1), ("cos", 2))}
    keys = {
        "xml": a_key("xml", USER_XML, "87", messages.SUPPLIER, points["xml"]),
        "cos": a_key("cos", COS_PARTY, "05", messages.TRANSITIONAL_COS, points["cos"]),
    }
    with books.a_book(tmp_path) as journal:
        yield Stage(duis_line.a_line(journal, module, *keys.values()), keys)


def test_a_service_request_is_signed_and_given_again_the_same(stage: Stage) -> None:
    key = stage.keys["xml"]
    ask = an_ask(key, duis.a_transform(), name="r-1")
    first, again = stage.asked(ask), stage.asked(ask)
    signed = whole(first)
    signature = read_document(signed, signed=True).signature
    assert signature is not None
    assert signature_verifies(key.public_key, signature.signed_info, signature.signature)
    assert key.certificate_der is not None
    assert names_issuer(signature, key.certificate_der)
    assert isinstance(again, GivenAgain)
    assert again.certificate == key.certificate_der
    content = decode(ContentKind.SERVICE_REQUEST, ask.octets)
    assert assemble(content, again.outputs, certificate=again.certificate) == signed


def test_a_critical_smets1_service_request_is_signed_with_its_supply_sensitive_check_alone_and_once(
    stage: Stage,
) -> None:
    octets = duis.a_transform(command_variant=1)
    ask = an_ask(stage.keys["xml"], octets, name="r-1")
    refused = stage.asked(ask)
    assert isinstance(refused, CheckNotShown)
    assert refused.clause == "G3.25"
    chain = checks.through(("party/check", "party/gateway", evidence.NODE.name))
    content = decode(ContentKind.SERVICE_REQUEST, octets)
    check = checks.a_check(content, by="party/check", check_system="party/check", chain=chain)
    for name, expected in (("r-2", Concluded), ("r-2", GivenAgain), ("r-3", EvidenceSpent)):
        checked = replace(an_ask(stage.keys["xml"], octets, name=name), statements=(check,))
        assert isinstance(stage.asked(checked), expected)


def test_refuses_a_command_under_an_xml_key_and_a_service_request_under_a_commands(stage: Stage) -> None:
    command = an_ask(
        stage.keys["xml"],
        messages.compose_command(0x0050),
        name="r-1",
        operation=Operation.SIGN_PRE_COMMAND,
        kind=ContentKind.PRE_COMMAND,
    )
    request = an_ask(stage.keys["cos"], duis.a_request(), name="r-2")
    for ask in (command, request):
        outcome = stage.asked(ask)
        assert isinstance(outcome, NotPermitted)
        assert "content-kind-for-purpose" in {each.rule for each in outcome.findings if not each.passed}


def change_of_supplier(stage: Stage, name: str, *, counter: int, request: bytes) -> Ask:
    beside = [
        Accompanying(kind=AccompanyingKind.SERVICE_REQUEST, octets=request),
        *(Accompanying(kind=AccompanyingKind.SIGNER_CERTIFICATE, octets=der) for der in INCOMING_CHAIN),
    ]
    return an_ask(
        stage.keys["cos"],
        a_credentials_command(*replacements_for(supplier_certificates()), counter=counter),
        name=name,
        operation=Operation.SIGN_COMMAND,
        kind=ContentKind.COMMAND,
        beside=beside,
    )


@pytest.mark.clause("G2.22B(a)", "G2.44(a)", shows="refusal")
def test_the_incoming_suppliers_service_request_is_acted_on_once(stage: Stage) -> None:
    request = signed_by_incoming(a_change_of_supplier())
    first = stage.asked(change_of_supplier(stage, "r-1", counter=5, request=request))
    assert isinstance(first, Concluded)
    assert isinstance(stage.asked(change_of_supplier(stage, "r-1", counter=5, request=request)), GivenAgain)
    for counter, again in ((6, request), (7, signed_by_incoming(a_change_of_supplier()))):
        outcome = stage.asked(change_of_supplier(stage, f"r-{counter}", counter=counter, request=again))
        assert isinstance(outcome, EvidenceSpent)
    fresh = signed_by_incoming(a_change_of_supplier(identifier=duis.an_identifier(INCOMING, counter=1_001)))
    assert isinstance(stage.asked(change_of_supplier(stage, "r-8", counter=8, request=fresh)), Concluded)


@pytest.mark.clause("G2.22B(a)", "G2.44(a)", shows="refusal")
def test_refuses_a_change_of_supplier_that_the_caller_merely_asserts(stage: Stage) -> None:
    octets = a_credentials_command(*replacements_for(supplier_certificates()))
    bare = an_ask(stage.keys["cos"], octets, name="r-1", operation=Operation.SIGN_COMMAND, kind=ContentKind.COMMAND)
    outcome = stage.asked(bare)
    assert isinstance(outcome, NotPermitted)
    assert "change-of-supplier-asked-for" in {each.rule for each in outcome.findings if not each.passed}


def test_a_renewed_certificate_is_named_in_what_is_given_again(stage: Stage) -> None:
    key = stage.keys["xml"]
    ask = an_ask(key, duis.a_transform(), name="r-1")
    assert isinstance(stage.asked(ask), Concluded)
    renewed = a_key("xml", USER_XML, "87", EntityIdentifier(messages.SUPPLIER.octets), key.public_key)
    assert renewed.certificate_der is not None
    register = stage.line.register
    now = replace(register.current(), keys=dict(register.current().keys) | {KeyLabel("xml"): renewed})
    register.now, register.seen = now, now  # type: ignore[attr-defined]
    again = stage.asked(ask)
    assert isinstance(again, GivenAgain)
    assert again.certificate == renewed.certificate_der
