"""Where is this person, as another said? SEC G3.23, and which screening G4.3 and G4.6 ask for."""

from __future__ import annotations

from keybroker.clause import clause
from keybroker.gates.people.asked import Asked, passed, refused
from keybroker.gates.people.word import NoWord, Word, word_in_force
from keybroker.statement.payloads import Location
from keybroker.terms import Finding

UNITED_KINGDOM = "GB"

_CLAUSE = "G3.23"
_RULE = "person-in-united-kingdom"


@clause("G4.2", "G4.3", "G4.5", "G4.6")
def location_of(asked: Asked) -> Word[Location] | NoWord:
    return word_in_force(asked, Location, lambda said: said.of == "person" and said.subject == asked.name)


# SEC G3.23: "is located, operated, configured, tested and maintained in the United Kingdom by User Personnel who are
# located in the United Kingdom."
@clause("G3.23", "G3.24")
def in_united_kingdom(asked: Asked) -> Finding:
    """For acts on keys and modules in scope."""
    located = location_of(asked)
    remedy = f"keybroker evidence add: a location of person {asked.name}, by another attester, or another person acts"
    expected = f"location evidence in force that {asked.name} is in the United Kingdom, by another attester"
    if isinstance(located, NoWord):
        reason = "PERSON_LOCATION_NOT_SHOWN" if located.reason == "PERSON_NOT_VOUCHED_FOR" else located.reason
        return refused(_RULE, _CLAUSE, expected=expected, found=located.found, reason=reason, remedy=remedy)
    if located.payload.country != UNITED_KINGDOM:
        return refused(
            _RULE,
            _CLAUSE,
            expected=expected,
            found=f"in {located.payload.country}, {located.statement.told()}",
            reason="PERSON_NOT_IN_UNITED_KINGDOM",
            remedy=remedy,
        )
    return passed(_RULE, _CLAUSE, located.statement.told())
