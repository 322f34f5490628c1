"""What demands a Supply Sensitive Check, by what the broker reads and what people say of a variant. SEC G3.25."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.content.model import Accompanying
from keybroker.statement.kind import LONGEST, StatementKind
from keybroker.statement.payloads import VariantNotSensitive
from keybroker.statement.statement import Statement
from keybroker.terms import AccompanyingKind, ContentKind, KeyPurpose
from tests import duis, evidence, messages
from tests.evidence import ADMINISTRATORS, AT, not_sensitive, stated
from tests.gates.checks import a_check, a_pre_command, look_at, standing_with
from tests.situations import a_decision

POSSIBLY = messages.LIMIT_APC_LEVEL  # 7.16
SEVERAL = 0x0055  # 7.5, 7.6 and 7.8, all 'possibly'
UNDECIDED = messages.SUPPLIER_BY_SUPPLIER  # 6.15.1 'possibly'; 6.21 is not critical, and of no Pre-Command


def people_say(*variants: str, by: Sequence[str] = ADMINISTRATORS) -> list[Statement]:
    return [not_sensitive(variant, name) for variant in variants for name in by]


def a_request_of(variant: str, body: str) -> bytes:
    return duis.a_request(variant, reference=variant, command_variant=4, body=f"<sr:{body}/>")


def beside(code: int, request: bytes) -> Content:
    accompanying = (Accompanying(kind=AccompanyingKind.SERVICE_REQUEST, octets=request),)
    return decode(ContentKind.PRE_COMMAND, messages.compose_command(code), accompanying)


REFUSED_WITHOUT: Mapping[str, tuple[Content, tuple[Statement, ...]]] = {
    "a 'yes', whatever people say": (a_pre_command(), tuple(people_say("7.2"))),
    "a 'possibly'": (a_pre_command(POSSIBLY), ()),
    "a 'possibly' that one person says is not": (
        a_pre_command(POSSIBLY),
        tuple(people_say("7.16", by=ADMINISTRATORS[:1])),
    ),
    "a 'possibly' that one person says twice is not": (
        a_pre_command(POSSIBLY),
        (*people_say("7.16", by=ADMINISTRATORS[:1]), *people_say("7.16", by=ADMINISTRATORS[:1])),
    ),
    "a 'possibly' when people speak of another": (a_pre_command(POSSIBLY), tuple(people_say("7.13"))),
    "a code of several, of which people speak of some": (a_pre_command(SEVERAL), tuple(people_say("7.5", "7.6"))),
    "a code of no variant": (a_pre_command(0x0125), ()),
    "a code of several beside an unsigned request that people speak of": (
        beside(SEVERAL, a_request_of("7.5", "ActivateAuxiliaryLoad")),
        tuple(people_say("7.5")),
    ),
    "a code beside a request of a variant that is not critical": (
        beside(UNDECIDED, duis.a_request("6.21", reference="6.21", body="<sr:RequestHandoverOfDCCControlledDevice/>")),
        (),
    ),
    "a critical SMETS1 Service Request": (
        decode(ContentKind.SERVICE_REQUEST, duis.a_transform(command_variant=1)),
        (),
    ),
}


@pytest.mark.clause("G3.25(a)", shows="refusal")
@pytest.mark.parametrize(("content", "said"), REFUSED_WITHOUT.values(), ids=REFUSED_WITHOUT)
def test_demands_a_check_of(content: Content, said: tuple[Statement, ...]) -> None:
    finding = look_at(content=content, standing=standing_with(*said)).finding
    assert (finding.passed, finding.reason) == (False, "CHECK_MISSING")


def test_a_statement_of_a_person_that_lapsed_switches_nothing_off() -> None:
    long_ago = AT - LONGEST[StatementKind.VARIANT_NOT_SENSITIVE]
    said = VariantNotSensitive.model_validate(
        evidence.in_common(StatementKind.VARIANT_NOT_SENSITIVE, at=long_ago) | {"variant": "7.16", "because": "none"}
    )
    lapsed = stated(said, ADMINISTRATORS[0], at=AT - timedelta(seconds=1))
    finding = look_at(
        content=a_pre_command(POSSIBLY), standing=standing_with(lapsed, not_sensitive("7.16", ADMINISTRATORS[1]))
    ).finding
    assert finding.reason == "CHECK_MISSING"


PASSED_WITHOUT: Mapping[str, tuple[Content, tuple[Statement, ...], str]] = {
    "a 'no'": (a_pre_command(messages.UNJOIN), (), "not supply sensitive: 8.8.1 no"),
    "a 'possibly' that two people say is not": (
        a_pre_command(POSSIBLY),
        tuple(people_say("7.16")),
        "7.16 possibly; switched off by 7.16: variant-not-sensitive",
    ),
    "a code of several, of each of which two people speak": (
        a_pre_command(SEVERAL),
        tuple(people_say("7.5", "7.6", "7.8")),
        "7.5 possibly, 7.6 possibly, 7.8 possibly; switched off by",
    ),
    "a certificate signing request": (
        a_decision(KeyPurpose.AUDIT_CHECKPOINT).content,
        (),
        "not a Pre-Command or a critical SMETS1 Service Request: audit-checkpoint",
    ),
    "a Transform": (
        decode(ContentKind.SERVICE_REQUEST, duis.a_transform()),
        (),
        "not a Pre-Command or a critical SMETS1 Service Request: service-request",
    ),
    "a Service Request that is not critical": (
        decode(ContentKind.SERVICE_REQUEST, duis.a_request()),
        (),
        "not a Pre-Command or a critical SMETS1 Service Request: service-request",
    ),
}


@pytest.mark.clause("G3.25(a)", shows="acceptance")
@pytest.mark.parametrize(("content", "said", "found"), PASSED_WITHOUT.values(), ids=PASSED_WITHOUT)
def test_demands_no_check_of(content: Content, said: tuple[Statement, ...], found: str) -> None:
    looked = look_at(content=content, standing=standing_with(*said))
    assert looked.finding.passed
    assert looked.finding.found.startswith(found)
    assert (looked.claims, looked.used) == ((), ())


def test_both_people_who_switched_a_variant_off_are_told_and_why_each_says_so() -> None:
    finding = look_at(content=a_pre_command(POSSIBLY), standing=standing_with(*people_say("7.16"))).finding
    for person in ADMINISTRATORS:
        assert re.search(rf'7\.16: [^;]* by {person} until [^;]*, because "no effect on supply"', finding.found)


@pytest.mark.parametrize(
    ("because", "told"),
    [
        ("w" * 120, f'because "{"w" * 120}"'),
        ("w" * 400, f'because "{"w" * 119}\N{HORIZONTAL ELLIPSIS}"'),
        ('none"; switched off by "me', "because \"none'; switched off by 'me\""),
    ],
    ids=["long enough", "too long", "with quotation marks"],
)
def test_the_reason_for_which_a_variant_was_switched_off_is_quoted_and_no_longer_than_it_may_be(
    because: str, told: str
) -> None:
    common = evidence.in_common(StatementKind.VARIANT_NOT_SENSITIVE)
    said = VariantNotSensitive.model_validate(common | {"variant": "7.16", "because": because})
    standing = standing_with(stated(said, ADMINISTRATORS[0]), not_sensitive("7.16", ADMINISTRATORS[1]))
    finding = look_at(content=a_pre_command(POSSIBLY), standing=standing).finding
    assert finding.passed
    assert told in finding.found


def test_a_request_that_its_user_signed_decides_between_the_variants_of_a_code() -> None:
    request = a_request_of("7.5", "ActivateAuxiliaryLoad")
    signed = duis.sign(request, 7, duis.a_certificate(7, "87"))
    content = beside(SEVERAL, signed)
    said = standing_with(*people_say("7.5"))
    assert look_at(content=content, standing=said).finding.passed
    assert look_at([a_check(content, variant="7.6")], content=content).finding.reason == "CHECK_OF_ANOTHER_VARIANT"
    assert look_at([a_check(content, variant="7.5")], content=content).finding.passed


def test_a_check_names_the_variant_of_the_request_beside_it_signed_or_not() -> None:
    content = beside(SEVERAL, a_request_of("7.5", "ActivateAuxiliaryLoad"))
    assert look_at([a_check(content, variant="7.6")], content=content).finding.reason == "CHECK_OF_ANOTHER_VARIANT"
    assert look_at([a_check(content, variant="7.5")], content=content).finding.passed


def test_a_critical_smets1_service_request_passes_with_its_check() -> None:
    content = decode(ContentKind.SERVICE_REQUEST, duis.a_transform(command_variant=1))
    looked = look_at([a_check(content)], content=content)
    assert looked.finding.passed
    assert looked.used


def test_the_check_of_a_code_without_a_variant_names_a_critical_one() -> None:
    content = a_pre_command(0x0125)
    assert look_at([a_check(content, variant="6.15.1")], content=content).finding.passed
    assert look_at([a_check(content, variant="7.4")], content=content).finding.reason == "CHECK_OF_ANOTHER_VARIANT"
