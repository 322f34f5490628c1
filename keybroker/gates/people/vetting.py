"""Is this person enrolled, vouched for, of the role, cleared and screened? SEC G4.1-G4.7, G5.9, G5.22."""

from __future__ import annotations

import re
from datetime import timedelta

from keybroker.clause import clause
from keybroker.gates.people.asked import Asked, passed, refused, told
from keybroker.gates.people.engagements import PRIVILEGED, engagements_of
from keybroker.gates.people.location import UNITED_KINGDOM, location_of
from keybroker.gates.people.word import NoWord, Word, word_in_force
from keybroker.statement.payloads import Person
from keybroker.statement.said import moment
from keybroker.statement.statement import MOST_AHEAD
from keybroker.terms import Finding, RelevantSystem

LONGEST_WITHOUT_REVIEW = timedelta(days=366)
"""A year, of whatever length: "annually review the security clearance" (SEC G4.1(b), G4.4(b))."""

_bs_7858 = re.compile(r"BS 7858(?::(?P<year>\d{4})(?:\+A\d+(?::\d{4})?)?)?").fullmatch
_EARLIEST_BS_7858 = 2012
_STATE_IT = "keybroker evidence add: a person statement by another attester that says so, or another person acts"


def enrolled(asked: Asked) -> Finding:
    """By a certificate that stands and has not lapsed; of several that bear the name, one that does is enough."""
    rule, clause = "person-enrolled", asked.clause(user="G5.22(b)", dcc="G5.9(d)")
    known = [each for each in asked.standing.attesters.values() if each.name == asked.name and each.is_person]
    stand = [each for each in known if each.withdrawn_at is None]
    for each in stand:
        if each.since <= asked.at + MOST_AHEAD and asked.at < each.until:
            return passed(rule, clause, f"until {told(each.until)}")
    last = max(stand, key=lambda each: each.until, default=None)
    if last is not None:
        reason, found = "PERSON_LAPSED", f"{asked.name}, from {told(last.since)} until {told(last.until)}"
    elif known:
        reason, found = "PERSON_WITHDRAWN", f"{asked.name}, withdrawn"
    else:
        reason, found = "PERSON_NOT_ENROLLED", f"nobody of the name {asked.name} whose orders are taken"
    expected = f"a person enrolled at {told(asked.at)}"
    return refused(rule, clause, expected=expected, found=found, reason=reason, remedy="keybroker evidence enrol")


def person_of(asked: Asked) -> Word[Person] | NoWord:
    """What another said of the person last, where it counts now."""
    return word_in_force(asked, Person, lambda said: said.person == asked.name)


@clause("G4.1", "G4.4")
def vetted(asked: Asked) -> tuple[Finding, ...]:
    """What another said of the person: that he did at all, and, where it counts, every part of it."""
    word = person_of(asked)
    vouched = _vouched_for(asked, word)
    if isinstance(word, NoWord):
        return (vouched,)
    said = word.payload
    checked = (_security_check(asked, said),) if asked.settings.is_of_the_dcc else ()
    return (vouched, _role(asked, said), _clearance(asked, said), _screening(asked, said), *checked)


@clause("G4.1", "G4.4")
def _vouched_for(asked: Asked, word: Word[Person] | NoWord) -> Finding:
    rule, clause = "person-vouched-for", asked.clause(user="G4.1(a), G5.22(c)", dcc="G4.4(a), G5.9(f)")
    expected = f"a person statement in force of {asked.name}, by another attester"
    if isinstance(word, NoWord):
        return refused(rule, clause, expected=expected, found=word.found, reason=word.reason, remedy=_STATE_IT)
    parties = {each.party for each in asked.standing.attesters.values() if each.name == asked.name}
    if parties and word.payload.party not in parties:
        found = f"one of a person of {word.payload.party}, enrolled for {', '.join(sorted(parties))}"
        return refused(rule, clause, expected=expected, found=found, reason="PERSON_OF_ANOTHER_PARTY", remedy=_STATE_IT)
    return passed(rule, clause, word.statement.told())


# SEC G5.9(a), G5.22(a): "measures to restrict access to Data [...] to those who require such Data and are authorised
# to obtain it".
def _role(asked: Asked, said: Person) -> Finding:
    rule, clause, roles = "person-has-role", asked.clause(user="G5.22(a)", dcc="G5.9(a)"), asked.act.roles
    if not roles:
        return passed(rule, clause, "the act asks for none")
    held = sorted(roles.intersection(said.roles))
    if held:
        return passed(rule, clause, ", ".join(held))
    expected, found = f"one of {', '.join(sorted(roles))}", ", ".join(said.roles)
    return refused(rule, clause, expected=expected, found=found, reason="PERSON_WITHOUT_ROLE", remedy=_STATE_IT)


# SEC G4.1(b), G4.4(b): "annually review the security clearance held by each such individual and ensure that it
# continues to be appropriate".
@clause("G4.1", "G4.4")
def _clearance(asked: Asked, said: Person) -> Finding:
    rule, clause = "person-cleared", asked.clause(user="G4.1(b)", dcc="G4.4(b)")
    reviewed = moment(said.clearance.reviewed)
    if reviewed <= asked.at < reviewed + LONGEST_WITHOUT_REVIEW:
        return passed(
            rule, clause, f"reviewed {told(reviewed)}, again before {told(reviewed + LONGEST_WITHOUT_REVIEW)}"
        )
    early = asked.at < reviewed
    return refused(
        rule,
        clause,
        expected=f"a security clearance reviewed within {LONGEST_WITHOUT_REVIEW.days} days before {told(asked.at)}",
        found=f"reviewed {told(reviewed)}",
        reason="CLEARANCE_REVIEW_AHEAD" if early else "CLEARANCE_NOT_REVIEWED",
        remedy="review it, then " + _STATE_IT,
    )


# SEC G4.3, G4.6: "where they are located in the United Kingdom [...] British Standard BS 7858:2012 [...] or any
# equivalent to that British Standard which updates or replaces it"; elsewhere that, "or any comparable national
# standard applying in the jurisdiction in which they are located".
@clause("G4.2", "G4.3", "G4.5", "G4.6")
def _screening(asked: Asked, said: Person) -> Finding:
    """Of whom nobody says where he is, the British Standard is asked: it satisfies either paragraph."""
    located = location_of(asked)
    abroad = isinstance(located, Word) and located.payload.country != UNITED_KINGDOM
    rule = "person-screened"
    clause = asked.clause(user="G4.3(b)", dcc="G4.6(b)") if abroad else asked.clause(user="G4.3(a)", dcc="G4.6(a)")
    standard, at = said.screening.standard, moment(said.screening.passed)
    if at > asked.at:
        reason = "SCREENING_AHEAD"
    elif abroad or _is_bs_7858(standard):
        return passed(rule, clause, f"{standard}, {told(at)}")
    else:
        reason = "SCREENING_NOT_BS_7858"
    kind = "BS 7858 or a comparable national standard" if abroad else "BS 7858:2012 or what replaced it"
    expected, found = f"screening under {kind}, passed by {told(asked.at)}", f"{standard}, {told(at)}"
    return refused(rule, clause, expected=expected, found=found, reason=reason, remedy=_STATE_IT)


@clause("G1.2", "G1.3", "G4.2", "G4.3", "G4.5", "G4.6")
def _is_bs_7858(standard: str) -> bool:
    """Undated it is the edition in force."""
    found = _bs_7858(standard)
    return found is not None and (found["year"] is None or int(found["year"]) >= _EARLIEST_BS_7858)


# SEC G4.7: "The DCC shall ensure that each member of DCC Personnel who is a Privileged Person has passed a Security
# Check before being given any access to Data held on the DCC Total System."
@clause("G4.7")
def _security_check(asked: Asked, said: Person) -> Finding:
    rule, clause = "person-security-checked", "G4.7"
    if not (asked.act.privileged or _is_privileged(asked)):
        return passed(rule, clause, "not a Privileged Person, and the act asks for none")
    at = None if said.security_check is None else moment(said.security_check)
    if at is not None and at <= asked.at:
        return passed(rule, clause, f"passed {told(at)}")
    return refused(
        rule,
        clause,
        expected=f"a Security Check passed by {told(asked.at)}",
        found="none" if at is None else f"one of {told(at)}",
        reason="SECURITY_CHECK_MISSING" if at is None else "SECURITY_CHECK_AHEAD",
        remedy=_STATE_IT,
    )


def _is_privileged(asked: Asked) -> bool:
    """Is he now a Privileged Person of the DCC, for whichever of its systems?"""
    return any(
        stay.activity == PRIVILEGED and stay.system is not RelevantSystem.USER_SYSTEMS and stay.lasts(asked.at)
        for stay in engagements_of(asked)
    )
