"""The Supply Sensitive Check: every way to fail, and the one way to pass. SEC G3.25."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from keybroker.content.decoding import decode
from keybroker.errors import CheckNotShown
from keybroker.gates import open_gates
from keybroker.gates.look import Look
from keybroker.gates.supply_sensitive_check import supply_sensitive_check
from keybroker.policy.claim import Once
from keybroker.policy.model import GateRequirement
from keybroker.statement.flaw import Flaw
from keybroker.statement.kind import LONGEST, StatementKind
from keybroker.statement.making import signer
from keybroker.statement.payloads import Location, VariantNotSensitive
from keybroker.statement.standing import Standing
from keybroker.statement.statement import Statement
from keybroker.terms import ContentKind, SystemName
from tests import duis, evidence, messages
from tests.evidence import ADMINISTRATORS, AT, OFFICER, an_attester, attests, stated
from tests.gates.checks import (
    BILLING,
    CALLER,
    CHAIN,
    CHECK,
    GATE,
    PARTY,
    a_check,
    a_pre_command,
    a_standing,
    claims,
    look_at,
    standing_with,
    through,
    with_more,
)
from tests.situations import a_decision, evidence_of
from tests.statement.attested import decoded, encoded

NOW = int(AT.timestamp())
OTHER = "90-B3-D5-1F-AA-99-99-99"
NODE = evidence.NODE.name


def located(system: str, **changes: Any) -> Statement:
    """A newer location of a system than all others."""
    (said,) = (said for _, said in a_standing().ever(Location) if said.subject == system)
    fresh = evidence.in_common(StatementKind.LOCATION, at=AT - timedelta(minutes=1), last=timedelta(days=30))
    return stated(Location.model_validate(said.model_dump() | fresh | changes), OFFICER)


def unlocated(subject: str) -> Standing:
    held = a_standing()
    kept = [each for each in held.statements if getattr(each.payload, "subject", "") != subject]
    return replace(held, statements=tuple(kept))


def enrolled(name: str, *kinds: StatementKind, **changes: Any) -> Standing:
    """The standing evidence with ``name`` enrolled so, in place of what it was."""
    attester = an_attester(name, *(kinds or (StatementKind.SUPPLY_SENSITIVE_CHECK,)), **changes)
    return standing_with(attesters=dict(a_standing().attesters) | {attester.kid: attester})


def signed_with(key: ec.EllipticCurvePrivateKey, check: bytes) -> bytes:
    signing_input = check.rpartition(b".")[0]
    return signing_input + b"." + encoded(signer(key)(signing_input))


def with_header(old: bytes, new: bytes, check: bytes) -> bytes:
    header, payload, signature = check.split(b".")
    return b".".join((encoded(decoded(header).replace(old, new)), payload, signature))


def doubled(check: bytes) -> bytes:
    """``variant`` said twice, and signed."""
    header, payload, _ = check.split(b".")
    said = decoded(payload).replace(b'"variant"', b'"variant":"7.1","variant"')
    signing_input = header + b"." + encoded(said)
    return signing_input + b"." + encoded(attests(CHECK).sign(signing_input))


def another_kind() -> bytes:
    said = VariantNotSensitive.model_validate(
        evidence.in_common(StatementKind.VARIANT_NOT_SENSITIVE) | {"variant": "7.2", "because": "none"}
    )
    return attests(ADMINISTRATORS[0]).state(said)


SAID: Mapping[str, tuple[str, dict[str, Any]]] = {
    "CHECK_SYSTEM_NOT_ATTESTER": ("G3.25(a)", {"check_system": BILLING}),
    "CHECK_OF_OTHER_OCTETS": ("G3.25(a)", {"octets_sha256": "00" * 32}),
    "CHECK_OF_ANOTHER_VARIANT": ("G3.25(a)", {"variant": "7.1"}),
    "CHECK_FOR_ANOTHER_DEVICE": ("G3.25(a)", {"device": OTHER}),
    "CHECK_FOR_ANOTHER_USER": ("G3.25(a)", {"user": OTHER}),
    "CHECK_FOR_ANOTHER_REQUEST": ("G3.25(a)", {"request_id": f"{messages.SUPPLIER}:{messages.DEVICE}:1001"}),
    "CHECK_AFTER_SIGNING": ("G3.25(a)", {"checked": NOW + 1}),
    "CHECK_AFTER_STATEMENT": ("G3.25(a)", {"checked": NOW - 8}),
    "CHECK_TOO_OLD": ("G3.25(a)", {"checked": NOW - 301}),
    "CHAIN_BEGINS_ELSEWHERE": ("G3.25(c)", {"chain": through((BILLING, CALLER, NODE))}),
    "CHAIN_ENDS_ELSEWHERE": ("G3.25(c)", {"chain": through((CHECK, CALLER, "another-node"))}),
    "CHAIN_BROKEN": ("G3.25(c)", {"chain": through((CHECK, BILLING, NODE))}),
    "CHAIN_REPEATS": ("G3.25(c)", {"chain": through((CHECK, BILLING, BILLING, CALLER, NODE))}),
    "CHAIN_FOREIGN": ("G3.25(c)", {"chain": through((CHECK, "network-operator-a/head-end", CALLER, NODE))}),
    "HOP_NOT_IN_UNITED_KINGDOM": ("G3.25(c)", {"chain": through((CHECK, f"{PARTY}/unheard-of", CALLER, NODE))}),
    Flaw.AUDIENCE: ("G3.25", {"aud": "another.example/ledger"}),
    Flaw.FUTURE: ("G3.25", {"iat": NOW + 60}),
    Flaw.LAPSED: ("G3.25", {"iat": NOW - 20, "exp": NOW}),
    Flaw.VALID_TOO_LONG: (
        "G3.25",
        {"exp": NOW + int(LONGEST[StatementKind.SUPPLY_SENSITIVE_CHECK].total_seconds())},
    ),
}
"""Reason to clause and what the statement says wrongly."""


@pytest.mark.clause("G3.25(a)", shows="refusal")
@pytest.mark.parametrize(("reason", "clause", "changes"), [(name, *case) for name, case in SAID.items()], ids=SAID)
def test_refuses_a_check_that_says(reason: str, clause: str, changes: dict[str, Any]) -> None:
    looked = look_at([a_check(**changes)])
    finding = looked.finding
    assert (finding.passed, finding.reason, finding.clause) == (False, reason, clause)
    assert finding.rule == GATE.gate
    assert finding.expected
    assert finding.found
    assert finding.remedy
    assert (looked.claims, looked.used) == ((), ())


OFFERED: Mapping[str, Callable[[], Sequence[bytes]]] = {
    "CHECK_MISSING": lambda: (),
    "CHECK_MORE_THAN_ONE": lambda: (a_check(), a_check()),
    Flaw.KIND: lambda: (another_kind(),),
    Flaw.SIGNATURE: lambda: (signed_with(ec.generate_private_key(ec.SECP256R1()), a_check()),),
    Flaw.ALGORITHM: lambda: (with_header(b"ES256", b"none", a_check()),),
    Flaw.HEADER: lambda: (with_header(b"{", b'{"jwk":"",', a_check()),),
    Flaw.DUPLICATE_KEY: lambda: (doubled(a_check()),),
    Flaw.NOT_COMPACT: lambda: (b"{}",),
    Flaw.TOO_LONG: lambda: (b"a" * 16_385,),
    Flaw.ATTESTER_UNKNOWN: lambda: (a_check(by=BILLING),),
    Flaw.ATTESTER_NOT_FOR_KIND: lambda: (a_check(by=OFFICER),),
}


@pytest.mark.clause("G3.25(a)", shows="refusal")
@pytest.mark.parametrize(("reason", "offered"), OFFERED.items(), ids=OFFERED)
def test_refuses_what_is_offered_in_place_of_a_check(reason: str, offered: Callable[[], Sequence[bytes]]) -> None:
    finding = look_at(offered()).finding
    assert (finding.passed, finding.reason, finding.clause) == (False, reason, "G3.25")
    assert finding.remedy


AROUND: Mapping[str, tuple[str, Callable[[], Standing]]] = {
    "a check system of another party": (
        "CHECK_SYSTEM_OF_ANOTHER_PARTY",
        lambda: enrolled(CHECK, party="network-operator-a"),
    ),
    "a check system that was withdrawn": (Flaw.ATTESTER_WITHDRAWN, lambda: enrolled(CHECK, withdrawn_at=AT)),
    "a check system whose enrolment lapsed": (Flaw.ATTESTER_LAPSED, lambda: enrolled(CHECK, until=AT)),
    "a ledger restored since": (Flaw.BEFORE_RESTORE, lambda: standing_with(restored_at=AT - timedelta(seconds=1))),
    "a check system that nobody located": ("HOP_NOT_IN_UNITED_KINGDOM", lambda: unlocated(CHECK)),
    "a check system abroad": ("HOP_NOT_IN_UNITED_KINGDOM", lambda: standing_with(located(CHECK, country="IE"))),
    "a hop abroad": ("HOP_NOT_IN_UNITED_KINGDOM", lambda: standing_with(located(BILLING, country="FR"))),
    "a caller that nobody located": ("HOP_NOT_IN_UNITED_KINGDOM", lambda: unlocated(CALLER)),
    "a node that nobody located": ("HOP_NOT_IN_UNITED_KINGDOM", lambda: unlocated(evidence.NODE.identity)),
    "a hop that another party located alone": (
        "HOP_NOT_IN_UNITED_KINGDOM",
        lambda: with_more(unlocated(BILLING), located(BILLING, party="network-operator-a")),
    ),
}


@pytest.mark.clause("G3.25(b)", "G3.25(c)", shows="refusal")
@pytest.mark.parametrize(("reason", "standing"), AROUND.values(), ids=AROUND)
def test_refuses_a_good_check_by_or_through(reason: str, standing: Callable[[], Standing]) -> None:
    finding = look_at([a_check()], standing=standing()).finding
    assert (finding.passed, finding.reason) == (False, reason)
    assert finding.clause.startswith("G3.25")


@pytest.mark.clause("G3.25(b)", "G3.25(c)", shows="refusal")
def test_refuses_a_node_with_another_identity_or_site_than_was_located() -> None:
    for node in (
        replace(evidence.NODE, identity="test-node.fedcba9876543210"),
        replace(evidence.NODE, site="another-site"),
    ):
        finding = look_at([a_check()], surroundings=replace(evidence.SURROUNDINGS, node=node)).finding
        assert finding.reason == "HOP_NOT_IN_UNITED_KINGDOM"


@pytest.mark.clause("G3.25(a)", "G3.25(b)", "G3.25(c)", shows="acceptance")
def test_opens_with_the_check_of_these_octets_and_spends_it() -> None:
    check = a_check()
    looked = look_at([check])
    assert looked.finding.passed
    assert (looked.finding.rule, looked.finding.clause) == (GATE.gate, "G3.25")
    (statement,) = looked.used
    assert statement.compact.encode() == check
    assert looked.claims == (
        Once(
            rule="supply-sensitive-check",
            clause="G3.25",
            scope="statement",
            name=statement.identity.encode(),
            told=f"a Supply Sensitive Check, {statement.identity}",
            value=sha256(decoded(check.split(b".")[1])).digest(),
            remedy="have these octets checked again: keybroker ssc confirm; what was signed comes again under its own"
            " request_id",
        ),
    )
    assert CHECK in looked.finding.found
    assert " > ".join(CHAIN) in looked.finding.found


@pytest.mark.clause("G3.25(b)", "G3.25(c)", shows="acceptance")
def test_the_check_system_may_call_the_broker_itself() -> None:
    decision = a_decision(content=a_pre_command())
    caller = replace(decision.caller, system=SystemName("check"))
    found = evidence_of(decision.key, standing=a_standing())
    look = Look(
        use=replace(decision, caller=caller),
        requirement=GATE,
        evidence=found,
        offered=(a_check(chain=through((CHECK, NODE))),),
    )
    assert supply_sensitive_check(look).finding.passed


def test_a_statement_whose_signature_octets_were_changed_is_the_same_statement() -> None:
    check = a_check()
    signing_input, _, signature = check.rpartition(b".")
    octets = decoded(signature)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    s = (order - int.from_bytes(octets[32:], "big")).to_bytes(32, "big")
    changed = signing_input + b"." + encoded(octets[:32] + s)
    assert changed != check
    assert look_at([changed]).finding.passed
    assert look_at([changed]).claims == look_at([check]).claims


def test_two_statements_of_one_check_system_are_two() -> None:
    assert look_at([a_check()]).claims != look_at([a_check()]).claims


def test_what_is_not_supply_sensitive_needs_no_check_and_spends_one_that_comes() -> None:
    content = a_pre_command(messages.SET_CLOCK)
    assert look_at(content=content).finding.found == "not supply sensitive: 6.11 no, 8.1.1 no"
    looked = look_at([a_check(content, variant="6.11")], content=content)
    assert looked.finding.passed
    assert (len(looked.claims), len(looked.used)) == (1, 1)


def test_a_check_that_was_not_needed_is_judged_all_the_same() -> None:
    content = a_pre_command(messages.SET_CLOCK)
    assert look_at([a_check(variant="6.11")], content=content).finding.reason == "CHECK_OF_OTHER_OCTETS"
    assert look_at([a_check(content)], content=content).finding.reason == "CHECK_OF_ANOTHER_VARIANT"


def test_the_octets_that_a_check_is_of_are_those_of_the_request_with_their_null_signature() -> None:
    content = a_pre_command(null_signature=True)
    assert look_at([a_check(content)], content=content).finding.passed
    assert look_at([a_check(a_pre_command())], content=content).finding.reason == "CHECK_OF_OTHER_OCTETS"


def test_a_policy_may_allow_less_time() -> None:
    assert look_at([a_check()], within_seconds=10).finding.passed
    assert look_at([a_check()], within_seconds=9).finding.reason == "CHECK_TOO_OLD"


# Chains of any form.

SYSTEMS = st.sampled_from([CHECK, BILLING, CALLER, NODE, f"{PARTY}/unheard-of", "network-operator-a/head-end"])
GOOD = {(CHECK, CALLER, NODE), (CHECK, BILLING, CALLER, NODE)}


@pytest.mark.clause("G3.25(b)", "G3.25(c)", shows="refusal")
@given(st.lists(SYSTEMS, min_size=2, max_size=6))
def test_no_chain_passes_but_one_without_gap_repetition_or_stranger(systems: list[str]) -> None:
    finding = look_at([a_check(chain=through(systems))]).finding
    assert finding.passed is (tuple(systems) in GOOD)
    assert finding.passed or finding.reason.startswith(("CHAIN_", "HOP_"))


@given(
    st.sampled_from(sorted(claims().keys() - {"nonce", "confirmed_by", "iat", "exp", "checked"})),
    st.integers(0, 2**32) | st.text(max_size=8) | st.sampled_from([CHECK, OTHER, "7.1", "00" * 32]),
)
def test_no_check_passes_with_anything_else_in_one_of_its_places(name: str, value: Any) -> None:
    if value == claims()[name]:
        return
    try:
        check = a_check(**{name: value})
    except ValidationError:
        return  # No check system of ours makes it, and the strict reader takes none (tests/statement).
    assert not look_at([check]).finding.passed


# As a whole.


def test_the_refusal_is_of_the_check_and_says_what_to_do() -> None:
    decision = a_decision(content=a_pre_command())
    decision = replace(decision, policy=replace(decision.policy, gates=(GATE,)))
    with pytest.raises(CheckNotShown, match=r"expected a Supply Sensitive Check, for 7.2 yes, found none") as refusal:
        open_gates(decision, evidence_of(decision.key, standing=a_standing()))
    assert (refusal.value.gate, refusal.value.clause) == ("supply-sensitive-check", "G3.25")
    permit = open_gates(decision, evidence_of(decision.key, standing=a_standing()), (a_check(),))
    assert len(permit.used) == 1


def test_a_statement_that_nobody_asks_for_is_refused() -> None:
    transform = decode(ContentKind.SERVICE_REQUEST, duis.a_transform())
    decision = replace(a_decision(), content=transform)
    gate = GateRequirement(gate=GATE.gate, clause=GATE.clause)
    decision = replace(decision, policy=replace(decision.policy, gates=(gate,)))
    with pytest.raises(CheckNotShown) as refusal:
        open_gates(decision, evidence_of(decision.key, standing=a_standing()), (a_check(transform),))
    assert refusal.value.findings[-1].reason == "STATEMENT_NOT_ASKED_FOR"
