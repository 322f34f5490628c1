"""Every way of saying no, and every way of failing.

Two families. A *Refusal*: we decided not to; asking again the same is pointless. A *Fault*: we could
not; nothing was decided against the caller.

    KeybrokerError
    ├── Refusal
    │   ├── CallerUnknown            no verified TLS peer in the caller table
    │   ├── RequestMalformed         a field missing, too large or of the wrong form
    │   ├── RequestRepeated          a request_id taken by another request or another caller
    │   ├── ContentMalformed         the octets are not what they were declared to be
    │   │   ├── ContentAlreadySigned   a signature stands where none may be
    │   │   ├── ContentMacWrapped      a general-ciphering APDU (0xDD): the MAC is put on after the signature
    │   │   ├── ContentIsResponse      CRA flag 0x02
    │   │   ├── ContentIsAlert         CRA flag 0x03
    │   │   └── MessageCodeUnknown     a Message Code that is in no table
    │   ├── ProtectionInvalid        a MAC or authentication tag that was to be checked is not right
    │   ├── NotPermitted             the rules refused; carries every finding (also: a key unknown to this caller)
    │   ├── StatementRefused         a statement that was given cannot be relied on, or was used before
    │   ├── CmsUnfit                 a signed or sealed document is not exact, not by or not for whom it should be
    │   ├── NoteUnfit                a signed note that no trusted key verifies
    │   ├── ProofUnfit               a proof that a tree holds a leaf, or extends another, that does not verify
    │   ├── ShareUnfit               a share of a split key that is not the one it should be, or not a share
    │   ├── PersonMayNotAct          an excluded, lapsed or absent person, or an act without an order
    │   └── GateShut                 what must have happened outside has not
    │       ├── KeyNotServed           the module does not hold the key as the register and its purpose demand
    │       ├── ModuleNotShown         no evidence in force that the module is validated, or classified
    │       ├── LocationNotShown       no evidence in force that all is in the United Kingdom
    │       ├── CheckNotShown          no Supply Sensitive Check of these very octets
    │       ├── ThresholdNotSet        no Anomaly Detection Threshold in force for it
    │       ├── ApprovalNotShown       no approval of the SMKI PMA in force for this use, or on record for its transfer
    │       ├── QuorumNotPresent       a split key without its quorum in the room
    │       ├── ClockUnreliable        the clock differs from its source, or was not compared with it
    │       ├── LedgerNotRemembered    the ledger does not extend what is remembered outside it
    │       ├── WitnessSilent            no witness has cosigned the ledger lately, and one is demanded
    │       ├── EvidenceSpent          what may be used once was used before (serial, RequestID, counter)
    │       └── ThresholdExceeded      a limit on use is reached
    └── Fault
        ├── ModuleFault
        │   ├── ModuleUnavailable      the token is away, or logged out; it may come back
        │   ├── ModuleBusy             no session or no place in the queue in time
        │   └── ModuleDisagrees        what the module returned does not verify, or is not the key we know
        ├── LedgerFault
        │   ├── LedgerUnavailable      nothing was written; nothing was signed or nothing is released
        │   ├── OutcomeUnknown         the key may have been used and we cannot say how it ended
        │   ├── LedgerBroken           the ledger contradicts itself, or what is remembered outside it
        │   └── LedgerForked           a ledger shows one thing now, and showed another before, or to somebody else
        ├── BrokerStopping             draining; ask another worker or later
        └── ConfigurationInvalid       never on the wire: the broker does not start (exit 78)

Leaves carry a stable ``reason``. ``server/status.py`` maps every leaf to google.rpc.Status, and a test walks this tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from keybroker.terms import Finding


class KeybrokerError(Exception):
    """What keybroker says when it does not do what was asked.

    ``reason`` is stable and upper case; ``sentence`` tells the caller or operator what was expected,
    what was found and what to do next. Neither ever holds a secret, a handle, a path or a CKR code.
    """

    reason: ClassVar[str]
    clause: str = ""
    """The SEC clause (or other source) of the first rule that spoke against it; empty where none did."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Refusal(KeybrokerError):
    """We decided not to."""


class Fault(KeybrokerError):
    """We could not."""


class CallerUnknown(Refusal):
    """Authorisations are granted by name (G5.9(d), G5.22(b)), and attempts without one prevented (G2.6(c), G3.3(c))."""

    reason = "CALLER_UNKNOWN"
    clause = "G2.6(c), G3.3(c), G5.9(d), G5.22(b)"


class RequestMalformed(Refusal):
    """``field`` is the path of the offending field, as in google.rpc.BadRequest.

    Nothing is enabled beyond what the service needs (G2.5), and risks in handling Data are kept out (G5.19(a)).
    """

    reason = "REQUEST_MALFORMED"
    clause = "G2.5, G5.19(a)"

    def __init__(self, sentence: str, *, field: str) -> None:
        super().__init__(sentence)
        self.field = field


class RequestRepeated(Refusal):
    """What one asked must not become another's means (G5.9(f), G5.22(c))."""

    reason = "REQUEST_REPEATED"
    clause = "G5.9(f), G5.22(c)"


class ContentMalformed(Refusal):
    """``offset`` counts octets from the first octet of the message."""

    reason = "CONTENT_MALFORMED"

    def __init__(self, *, offset: int, expected: str, found: str, source: str) -> None:
        super().__init__(f"at offset {offset}: expected {expected}, found {found} ({source})")
        self.offset = offset
        self.expected = expected
        self.found = found
        self.source = source
        self.clause = source


class ContentAlreadySigned(ContentMalformed):
    reason = "CONTENT_ALREADY_SIGNED"


class ContentMacWrapped(ContentMalformed):
    reason = "CONTENT_MAC_WRAPPED"


class ContentIsResponse(ContentMalformed):
    reason = "CONTENT_IS_RESPONSE"


class ContentIsAlert(ContentMalformed):
    reason = "CONTENT_IS_ALERT"


class MessageCodeUnknown(ContentMalformed):
    reason = "MESSAGE_CODE_UNKNOWN"


class ProtectionInvalid(Refusal):
    """The key was used to check, and what was to be checked is not right: nothing of the message may be relied on."""

    reason = "PROTECTION_INVALID"
    clause = "GBCS Message Authentication Code"


class NotPermitted(Refusal):
    """The rules refused. ``findings`` holds every rule's finding, passed ones too; may be empty for an unknown key."""

    reason = "NOT_PERMITTED"

    def __init__(self, sentence: str, *, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(sentence)
        self.findings = findings
        self.clause = next((finding.clause for finding in findings if not finding.passed), "")


class StatementRefused(Refusal):
    """``flaw`` is the stable name of what is wrong with it (``keybroker.statement.flaw``)."""

    reason = "STATEMENT_REFUSED"

    def __init__(self, sentence: str, *, flaw: str, clause: str = "") -> None:
        super().__init__(sentence)
        self.flaw = flaw
        self.clause = clause


class CmsUnfit(Refusal):
    """A CMS document that is not written exactly, was changed, or is another's (``keybroker.ceremony.cms_form``)."""

    reason = "CMS_UNFIT"
    clause = "RFC 5652"


class NoteUnfit(Refusal):
    """A checkpoint, or a witness's cosignature of one, that the key it should be by does not verify."""

    reason = "NOTE_UNFIT"
    clause = "C2SP signed-note"


class ProofUnfit(Refusal):
    """An inclusion or consistency proof that does not lead to the root it should (``keybroker.ledger.proofs``)."""

    reason = "PROOF_UNFIT"
    clause = "RFC 9162 section 2.1"


class ShareUnfit(Refusal):
    """``flaw`` is the stable name of what is wrong with it (``keybroker.ceremony.share_flaw``); ``places`` are the
    numbers, from 1, of the words that are wrong, where they are known. The words themselves are said nowhere.
    """

    reason = "SHARE_UNFIT"
    clause = "G2.44B, G5.13"

    def __init__(self, sentence: str, *, flaw: str, places: tuple[int, ...] = ()) -> None:
        super().__init__(sentence)
        self.flaw = flaw
        self.places = places


class PersonMayNotAct(Refusal):
    """``findings`` are all that was looked at, with clause and, of an exclusion, the date on which it ends."""

    reason = "PERSON_MAY_NOT_ACT"

    def __init__(self, sentence: str, *, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(sentence)
        self.findings = findings
        self.clause = next((finding.clause for finding in findings if not finding.passed), "")


class GateShut(Refusal):
    """What must have happened outside has not. ``findings`` are the rules' and the gates' findings so far."""

    reason = "GATE_SHUT"

    def __init__(self, sentence: str, *, gate: str, clause: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(sentence)
        self.gate = gate
        self.clause = clause
        self.findings = findings


class KeyNotServed(GateShut):
    reason = "KEY_NOT_SERVED"


class ModuleNotShown(GateShut):
    """SEC G2.44, G2.45, G3.22."""

    reason = "MODULE_NOT_SHOWN"


class LocationNotShown(GateShut):
    """SEC G3.23, G3.24."""

    reason = "LOCATION_NOT_SHOWN"


class CheckNotShown(GateShut):
    """SEC G3.25."""

    reason = "CHECK_NOT_SHOWN"


class ThresholdNotSet(GateShut):
    """SEC G6.3, G6.6."""

    reason = "THRESHOLD_NOT_SET"


class ApprovalNotShown(GateShut):
    """SEC G2.22I(a)."""

    reason = "APPROVAL_NOT_SHOWN"


class QuorumNotPresent(GateShut):
    """SEC G2.44B."""

    reason = "QUORUM_NOT_PRESENT"


class ClockUnreliable(GateShut):
    """SEC G2.46, G2.47: what is valid now is not known by a clock that may be wrong."""

    reason = "CLOCK_UNRELIABLE"


class LedgerNotRemembered(GateShut):
    """What was spent may have been forgotten: nothing that spends or counts is done."""

    reason = "LEDGER_NOT_REMEMBERED"


class WitnessSilent(GateShut):
    """Nobody outside remembers what the ledger holds by now: nothing that spends or counts is done."""

    reason = "WITNESS_SILENT"


class EvidenceSpent(GateShut):
    """Judged inside the transaction that writes the intent: two requests at one instant cannot both be first."""

    reason = "EVIDENCE_SPENT"


class ThresholdExceeded(GateShut):
    reason = "THRESHOLD_EXCEEDED"


class ModuleFault(Fault):
    """``used``: the key may have been used; a signature whose outcome is unknown is never retried silently."""

    reason = "MODULE_FAULT"

    def __init__(self, sentence: str, *, used: bool = False) -> None:
        super().__init__(sentence)
        self.used = used


class ModuleUnavailable(ModuleFault):
    reason = "MODULE_UNAVAILABLE"


class ModuleBusy(ModuleFault):
    reason = "MODULE_BUSY"


class ModuleDisagrees(ModuleFault):
    reason = "MODULE_DISAGREES"


class LedgerFault(Fault):
    reason = "LEDGER_FAULT"


class LedgerUnavailable(LedgerFault):
    reason = "LEDGER_UNAVAILABLE"


class OutcomeUnknown(LedgerFault):
    reason = "OUTCOME_UNKNOWN"


class LedgerBroken(LedgerFault):
    reason = "LEDGER_BROKEN"


class LedgerForked(LedgerFault):
    """What a broker shows of its ledger is not what it has shown: forked, cut short, or without what it gave receipts
    for. Raised by whoever remembers (``keybroker.client``); asking again mends nothing.
    """

    reason = "LEDGER_FORKED"
    clause = "G2.27"


class BrokerStopping(Fault):
    reason = "BROKER_STOPPING"


class ConfigurationInvalid(Fault):
    """An operator must change something before the broker starts. ``where`` names file and key; exit status 78."""

    reason = "CONFIGURATION_INVALID"

    def __init__(self, sentence: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {sentence}" if where else sentence)
        self.where = where
