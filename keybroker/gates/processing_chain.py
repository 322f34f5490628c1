"""Was what is signed processed only in the United Kingdom, from the check to the signature? SEC G3.25(b), (c).

The statement says through which systems it went; what the broker sees of it itself (who called, and its own node) ends
the chain. Every hop has evidence of its location, by an enrolled attester of the party, and that is what enrols it: a
system in the middle need be neither an attester nor a caller, and one of which nobody states where it is is no hop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain as each_of

from keybroker.clause import clause
from keybroker.gates.located import Subject, why_not_in_united_kingdom
from keybroker.gates.look import Look
from keybroker.statement.payloads import SupplySensitiveCheck
from keybroker.terms import Finding

_GAP = "state every system through which it went, from the check system to this broker, in order"


# SEC G3.25: "(b) it both applies that Supply Sensitive Check and Digitally Signs the relevant Pre-Command or SMETS1
# Service Request in the United Kingdom; and (c) the relevant Pre-Command or SMETS1 Service Request has been processed
# only in the United Kingdom between the application of the Supply Sensitive Check and the Digital Signature."
@clause("G3.25(b)", "G3.25(c)")
def chain_faults(look: Look, said: SupplySensitiveCheck) -> Iterator[Finding]:
    """What is wrong with the chain, in order; nothing where it holds."""
    hops = [hop.system for hop in said.chain]
    return each_of(_gaps(look, said.check_system, hops), _foreign(look, hops[:-1]), _elsewhere(look, hops[:-1]))


def _gaps(look: Look, check_system: str, hops: Sequence[str]) -> Iterator[Finding]:
    caller = look.use.caller
    path, node = f"{caller.party}/{caller.system}", look.evidence.surroundings.node.name
    if hops[0] != check_system:
        yield _fault(look, "CHAIN_BEGINS_ELSEWHERE", f"a chain from the check system, {check_system}", hops[0])
    if hops[-1] != node:
        yield _fault(look, "CHAIN_ENDS_ELSEWHERE", f"a chain to this node, {node}", hops[-1])
    if hops[-2] != path:
        yield _fault(look, "CHAIN_BROKEN", f"before this node the caller, {path}", hops[-2])
    repeated = sorted({hop for hop in hops if hops.count(hop) > 1})
    if repeated:
        yield _fault(look, "CHAIN_REPEATS", "each system once", f"{repeated[0]} twice")


def _foreign(look: Look, systems: Sequence[str]) -> Iterator[Finding]:
    """SEC G3.14: User Systems are one party's; a system of nobody, or of another, is none of them."""
    party = look.use.key.party
    for system in systems:
        if system.partition("/")[0] != party or system.count("/") != 1:
            yield _fault(look, "CHAIN_FOREIGN", f"systems of {party} alone", system)


def _elsewhere(look: Look, systems: Sequence[str]) -> Iterator[Finding]:
    """Evidence of the location of every system, and of this machine."""
    node = look.evidence.surroundings.node
    places: list[tuple[Subject, str, str | None]] = [("system", system, None) for system in systems]
    for of, subject, site in (*places, ("node", node.identity, node.site)):
        # The same for every item of a batch: it is looked for once.
        finding = look.once(
            of, subject, site or "", look.use.key.party, find=partial(_location, look, of, subject, site)
        )
        if not finding.passed:
            yield finding


def _location(look: Look, of: Subject, subject: str, site: str | None) -> Finding:
    party = look.use.key.party
    why_not = why_not_in_united_kingdom(of, subject, party=party, standing=look.standing, at=look.at, site=site)
    if why_not is None:
        return look.passed(expected="a hop in the United Kingdom", found=f"{of} {subject}")
    return look.refused(
        expected=why_not.expected,
        found=f"{why_not.found} ({why_not.reason})",
        reason="HOP_NOT_IN_UNITED_KINGDOM",
        remedy=why_not.remedy,
        clause="G3.25(c)",
    )


def _fault(look: Look, reason: str, expected: str, found: str) -> Finding:
    return look.refused(expected=expected, found=found, reason=reason, remedy=_GAP, clause="G3.25(c)")
