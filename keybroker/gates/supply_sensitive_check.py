"""Was the Supply Sensitive Check applied to these very octets, in the United Kingdom, before now? SEC G3.25.

One statement of the check system comes with what is supply sensitive, and is spent with the intent. A statement that
was not demanded is judged all the same, and spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain as each_of

from keybroker.content.model import GbcsCommand
from keybroker.gates.check_faults import check_faults
from keybroker.gates.checkable import Checkable, checkable
from keybroker.gates.look import Look
from keybroker.gates.model import Looked
from keybroker.gates.processing_chain import chain_faults
from keybroker.gates.supply_sensitive import Sensitivity, sensitivity_of
from keybroker.policy.claim import Once
from keybroker.statement.flaw import Flaw, StatementUnfit
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import SupplySensitiveCheck, VariantNotSensitive
from keybroker.statement.said import moment
from keybroker.statement.statement import Statement, read_statement
from keybroker.terms import Finding

_SPENT = "have these octets checked again: keybroker ssc confirm; what was signed comes again under its own request_id"
_REMEDY = "have the check system check these octets, and send its statement with them: keybroker ssc confirm"
_REQUIRED = (
    "a Supply Sensitive Check of what is supply sensitive: of these octets, recent, in the United Kingdom throughout"
)
PEOPLE = 2
"""How many different people say that a 'possibly' supply sensitive variant is not."""
_LONGEST_REASON = 120
"""So many characters of what each of them says for it are told, and so recorded; the statement holds the whole."""


# SEC G3.25: "Each User which is an Eligible User in relation to any Supply Sensitive Service Request shall ensure that:
# (a) it applies a Supply Sensitive Check prior to Digitally Signing a Pre-Command or SMETS1 Service Request in respect
# of any Supply Sensitive Service Request".
def supply_sensitive_check(look: Look) -> Looked:
    """Open with the one statement that fits, or with none where none is demanded."""
    content = look.use.content
    if look.offered or not isinstance(content, GbcsCommand) or content.service_request is not None:
        return _judged(look)
    # By its Message Code alone: the same for every such message of a batch.
    return look.once("by code", content.kind, str(content.message_code.value), find=lambda: _judged(look))


def _judged(look: Look) -> Looked:
    content = checkable(look.use.content)
    if content is None:
        found = f"not a Pre-Command or a critical SMETS1 Service Request: {look.use.content.kind}"
        return Looked(finding=look.passed(expected=_REQUIRED, found=found))
    if not look.offered:
        return Looked(finding=_without_check(look, content))
    if len(look.offered) > 1:
        return Looked(finding=_too_many(look))
    try:
        statement, said = _read(look)
    except StatementUnfit as unfit:
        return Looked(finding=look.unfit(unfit, remedy=_REMEDY))
    fault = next(each_of(check_faults(look, content, statement, said), chain_faults(look, said)), None)
    return _spending(look, statement, said) if fault is None else Looked(finding=fault)


def _too_many(look: Look) -> Finding:
    return look.refused(
        expected="one statement of the check",
        found=str(len(look.offered)),
        reason="CHECK_MORE_THAN_ONE",
        remedy="send the one statement that is about these octets",
    )


def _spending(look: Look, statement: Statement, said: SupplySensitiveCheck) -> Looked:
    """Once, by who said it and which it is: octets of a signature can be changed without breaking it."""
    once = Once(
        rule=look.requirement.gate,
        clause=look.requirement.clause,
        scope="statement",
        name=statement.identity.encode(),
        told=f"a Supply Sensitive Check, {statement.identity}",
        value=statement.sha256,
        remedy=_SPENT,
    )
    through = " > ".join(hop.system for hop in said.chain)
    found = f"{statement.told()}; {said.variant}, checked {moment(said.checked):%Y-%m-%dT%H:%M:%SZ}, through {through}"
    return Looked(finding=look.passed(expected=_REQUIRED, found=found), claims=(once,), used=(statement,))


def _without_check(look: Look, content: Checkable) -> Finding:
    """'yes' always demands one; 'possibly' unless two people say otherwise of every variant that it may be."""
    told = ", ".join(f"{each} {sensitivity_of(each, look.at)}" for each in sorted(content.undecided)) or "of no variant"
    match content.sensitivity(look.at):
        case Sensitivity.NO:
            return look.passed(expected=_REQUIRED, found=f"not supply sensitive: {told}")
        case Sensitivity.POSSIBLY if switched_off := _switched_off(look, content):
            return look.passed(expected=_REQUIRED, found=f"{told}; switched off by {switched_off}")
        case sensitivity:
            return look.refused(
                expected=f"a Supply Sensitive Check, for {told}",
                found="none",
                reason="CHECK_MISSING",
                remedy=_REMEDY
                if sensitivity is Sensitivity.YES
                else f"{_REMEDY}; or two people state variant-not-sensitive: keybroker evidence add",
            )


def _switched_off(look: Look, content: Checkable) -> str:
    """Who said of every 'possibly' variant that it is not sensitive, and in which statement; empty where not enough."""
    told: list[str] = []
    for variant in sorted(content.undecided):
        if sensitivity_of(variant, look.at) is Sensitivity.NO:
            continue
        said = _people_who_say_not(look, variant)
        if len(said) < PEOPLE:
            return ""
        told += [said[person] for person in sorted(said)[:PEOPLE]]
    return "; ".join(told)


def _people_who_say_not(look: Look, variant: str) -> Mapping[str, str]:
    """By name, the people whose statement of this variant counts now: which it is, and for what reason."""
    said: dict[str, str] = {}
    for statement, payload in look.standing.of(VariantNotSensitive, look.at):
        attester = look.standing.attesters[statement.kid]
        if payload.variant == variant and attester.is_person:
            told = f'{variant}: {statement.told()}, because "{_shortened(payload.because)}"'
            said.setdefault(statement.attester, told)
    return said


def _shortened(because: str) -> str:
    """In quotation marks it stays one text, whoever wrote it."""
    told = because.replace('"', "'")
    return told if len(told) <= _LONGEST_REASON else f"{told[: _LONGEST_REASON - 1]}\N{HORIZONTAL ELLIPSIS}"


def _read(look: Look) -> tuple[Statement, SupplySensitiveCheck]:
    """Raises: StatementUnfit."""
    statement = read_statement(
        look.offered[0],
        look.standing.attesters,
        kind=StatementKind.SUPPLY_SENSITIVE_CHECK,
        origin=look.use.situation.ledger_origin,
        at=look.at,
    )
    void = look.standing.why_void(statement, look.at)
    if void is not None:
        raise void
    if not isinstance(statement.payload, SupplySensitiveCheck):
        raise StatementUnfit(Flaw.PAYLOAD, expected="what a check says", found=type(statement.payload).__name__)
    return statement, statement.payload
