"""A use that today's decoder or rules refuse is found among those on record, and what cannot be judged is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.errors import LedgerBroken, ModuleBusy
from keybroker.gates.model import Permit
from keybroker.keys.acts import ActivateKey, EnrolCertificate, KeyGenerated, OrderKey, SuspendKey
from keybroker.ledger import audit
from keybroker.ledger.audit_rejudging import rejudge_ledger
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Failure
from keybroker.ledger.rejudging import DECODER, Grounds, Rejudged, rejudge
from keybroker.ledger.rejudging_form import NEEDS
from keybroker.policy.rules import RULES
from keybroker.terms import ContentKind, DeploymentKind, KeyLabel, KeyPurpose, PartyName, Provenance, RuleName
from tests import messages, situations
from tests.architecture.sources import ROOT
from tests.keys.ordering import act_on_key
from tests.keys.restoring import ACTOR, enrol
from tests.ledger import books
from tests.policy.chains import TEST_ROOT, Plan, an_issuing_ca
from tests.situations import AT, ORIGIN, a_caller, a_point, a_private_key

LABEL, PARTY = KeyLabel("supplier-a"), PartyName("supplier-a")
PURPOSE = KeyPurpose.SUPPLIER_PRE_COMMAND
ENROL = EnrolCertificate(
    label=LABEL, chain=(Plan(public_key=a_private_key().public_key()).make(), an_issuing_ca()), anchors=(TEST_ROOT,)
)
GROUNDS = Grounds(
    origin=ORIGIN,
    deployment=DeploymentKind.TEST,
    policies={policy.sha256: policy for policy in situations.packaged_policies().values()},
    callers={books.IN_FORCE.configuration: {a_caller().identity: a_caller()}},
    anchors=(TEST_ROOT,),
)
MESSAGE = situations.a_message(PURPOSE, counter=1)
STRANGER = messages.NETWORK_OPERATOR
NOT_CRITICAL = messages.compose_command(code=messages.SEND_MESSAGE, originator=messages.SUPPLIER)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A supplier's key with its certificate, in use."""
    with books.a_book(tmp_path) as journal:
        enrol(journal)
        generated = KeyGenerated(label=LABEL, public_key=a_point(), provenance=Provenance.GENERATED)
        for act in (OrderKey(label=LABEL, purpose=PURPOSE, party=PARTY), generated, ENROL, ActivateKey(label=LABEL)):
            act_on_key(journal, ACTOR, act, AT)
        yield journal


def planted(content: Content) -> Permit:
    """What no rule let through: a permit whose content was put in the place of another."""
    permit = books.a_permit()
    return replace(permit, decision=replace(permit.decision, content=content))


def sign(journal: Journal, name: str, permit: Permit | None = None) -> int:
    """The leaf index of the intent whose signature a software key made."""
    (concluded,) = books.sign(journal, books.a_request(name, permit))
    return concluded.intent.receipt.leaf_index


def judged(journal: Journal, grounds: Grounds = GROUNDS) -> Rejudged:
    audit.verify(journal.ledger, AT)
    return rejudge_ledger(journal.ledger, grounds)


def command(octets: bytes) -> Content:
    return decode(ContentKind.PRE_COMMAND, octets)


def rules(found: Rejudged, index: int) -> Sequence[str]:
    return [each.rule for each in found.refused if each.leaf_index == index]


PLANTED = {
    "a command in another's name": (situations.a_message(PURPOSE, originator=STRANGER), "originator-is-keys-eui"),
    "a command that is not critical": (NOT_CRITICAL, "message-code-critical"),
    "a code of another role": (
        situations.a_message(PURPOSE, code=messages.LIMIT_APC_LEVEL),
        "message-code-signer-role",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_finds_a_planted_signature_that_a_rule_refuses(journal: Journal, name: str) -> None:
    octets, rule = PLANTED[name]
    sign(journal, "good")
    index = sign(journal, "planted", planted(command(octets)))
    found = judged(journal)
    assert {each.leaf_index for each in found.refused} == {index}
    assert rule in rules(found, index)
    told = next(each for each in found.refused if each.rule == rule)
    assert (told.clause, told.state, told.key) == (RULES[RuleName(rule)].clause, "signed", LABEL)
    assert "" not in (told.expected, told.found)


def test_finds_a_use_by_a_caller_whom_the_configuration_does_not_entitle(journal: Journal) -> None:
    index = sign(journal, "good")
    stranger = a_caller(keys=frozenset(), euis=frozenset())
    callers = {books.IN_FORCE.configuration: {stranger.identity: stranger}}
    found = judged(journal, replace(GROUNDS, callers=callers))
    assert list(rules(found, index)) == ["caller-entitled-to-key", "caller-speaks-for-originator"]


def test_finds_a_use_of_a_key_that_was_suspended_and_says_nothing_of_those_before(journal: Journal) -> None:
    sign(journal, "before")
    act_on_key(journal, ACTOR, SuspendKey(label=LABEL, because="lost"), AT)
    index = sign(journal, "after")
    found = judged(journal)
    assert [(each.leaf_index, each.rule) for each in found.refused] == [(index, "key-state-active")]


def test_finds_a_use_of_a_key_of_which_no_record_tells(tmp_path: Path) -> None:
    with books.a_book(tmp_path) as journal:
        index = sign(journal, "r")
        found = judged(journal)
    assert [(each.leaf_index, each.rule, each.found) for each in found.refused] == [(index, DECODER, "none")]


def test_finds_facts_and_a_digest_that_are_not_those_of_the_octets(journal: Journal) -> None:
    index = sign(journal, "r")
    records = audit.read_records(journal.ledger, 0, 100)
    other = situations.a_message(PURPOSE, counter=9)
    octets = records[index].octets.replace(sha256(MESSAGE).hexdigest().encode(), sha256(other).hexdigest().encode())
    records[index] = replace(records[index], octets=octets)
    found = rejudge(records, lambda _: other, GROUNDS)
    assert list(rules(found, index))[:2] == [DECODER, DECODER]


def test_refuses_octets_that_the_intent_does_not_name(journal: Journal) -> None:
    sign(journal, "r")
    records = audit.read_records(journal.ledger, 0, 100)
    with pytest.raises(LedgerBroken, match="expected octets"):
        rejudge(records, lambda _: b"others", GROUNDS)


def test_lists_what_no_decoder_reads_today(journal: Journal) -> None:
    index = sign(journal, "r")
    records = audit.read_records(journal.ledger, 0, 100)
    changed = MESSAGE[:-1]
    digest = sha256(MESSAGE).hexdigest().encode()
    octets = records[index].octets.replace(digest, sha256(changed).hexdigest().encode())
    records[index] = replace(records[index], octets=octets)
    assert list(rules(rejudge(records, lambda _: changed, GROUNDS), index)) == [DECODER]


def test_does_not_list_a_planted_use_that_failed(journal: Journal) -> None:
    asked = books.a_request("planted", planted(command(NOT_CRITICAL)))
    (intent,) = books.intends(journal, asked)
    journal.conclude([Failure(intent=intent, error=ModuleBusy("no session"), module_serial="1")], at=AT)
    assert not judged(journal).refused


def test_finds_nothing_among_good_uses_and_says_what_it_could_not_judge(journal: Journal) -> None:
    for name in "abc":
        sign(journal, name)
    found = judged(journal)
    assert (found.judged, found.refused, found.without_octets, found.policies_missing) == (3, (), (), {})
    assert found.rules_not_judged == {"key-certificate-not-on-a-revocation-list": ("lists", 3)}


def test_of_a_selection_a_key_that_began_elsewhere_is_not_judged_and_one_that_began_here_is(journal: Journal) -> None:
    first = sign(journal, "before")
    act_on_key(journal, ACTOR, SuspendKey(label=LABEL, because="lost"), AT)
    index = sign(journal, "after")
    records = audit.read_records(journal.ledger, 0, 100)
    part = replace(GROUNDS, is_whole=False)
    found = rejudge(records[first:], lambda _: MESSAGE, part)
    assert (found.judged, found.refused) == (0, ())
    assert found.rules_not_judged == {"every rule": ("life", 2)}
    assert rules(rejudge(records, lambda _: MESSAGE, part), index) == ["key-state-active"]


def test_names_what_was_erased_and_policies_that_are_not_at_hand(journal: Journal) -> None:
    kept = sign(journal, "kept", books.a_permit(2))
    erased = sign(journal, "erased", books.a_permit(3))
    audit.erase_octets(journal.ledger, sha256(situations.a_message(PURPOSE, counter=3)).digest())
    found = judged(journal, replace(GROUNDS, policies={}))
    assert (found.judged, found.without_octets) == (0, (erased,))
    assert found.policies_missing == {situations.a_policy().sha256.hex(): 1}
    assert kept != erased


def test_without_the_caller_table_and_anchors_their_rules_are_not_judged(journal: Journal) -> None:
    sign(journal, "r", planted(command(situations.a_message(PURPOSE, originator=STRANGER))))
    found = judged(journal, replace(GROUNDS, callers={}, anchors=()))
    assert not found.refused
    wanting = {rule: need for rule, (need, _) in found.rules_not_judged.items()}
    assert wanting["originator-is-keys-eui"] == "eui"
    assert wanting["caller-entitled-to-key"] == "caller"
    assert wanting["key-certificate-present"] == "certificate"


def test_every_rule_that_needs_more_than_records_exists_and_the_document_lists_it() -> None:
    assert set(NEEDS) <= set(RULES)
    told = (ROOT / "docs" / "ledger.md").read_text()
    assert [rule for rule, need in NEEDS.items() if f"`{rule}`" not in told or f"| {need} |" not in told] == []
