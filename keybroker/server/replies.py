"""What does the caller get? Outcomes of the line, findings and facts, to protocol buffers."""

from __future__ import annotations

from keybroker.content import decode
from keybroker.content.model import AuditCheckpoint, Content, GbcsCommand
from keybroker.errors import KeybrokerError
from keybroker.ledger.model import Concluded, GivenAgain, Receipt, Refused
from keybroker.pb import signing_pb2 as pb
from keybroker.server.status import item_status
from keybroker.signing import Item, Outcome
from keybroker.terms import Finding

_SIGNATURE_LENGTH = b"\x40"
"""Before r || s (GBCS, handbook 1.5)."""


def signed(item: Item, outcome: Concluded | GivenAgain) -> pb.Signed:
    """The signed message, message || 0x40 || r || s, with its receipt."""
    if isinstance(outcome, Concluded):
        content, reused, again = outcome.intent.permit.decision.content, outcome.reused, False
    else:
        content, reused, again = _content_of(item), 0, True
    return pb.Signed(
        signed_message=_message(content) + _SIGNATURE_LENGTH + outcome.signature,
        signature=outcome.signature,
        receipt=_receipt(outcome.receipt),
        given_again=again,
        counter_reused=reused,
    )


def sign_outcome(request_id: str, item: Item, outcome: Outcome) -> pb.SignOutcome:
    """One item's outcome in a batch or stream, under the request_id that the caller sent."""
    if isinstance(outcome, KeybrokerError):
        return pb.SignOutcome(request_id=request_id, error=item_status(outcome))
    return pb.SignOutcome(request_id=request_id, signed=signed(item, outcome))


def finding(found: Finding) -> pb.Finding:
    return pb.Finding(
        rule=found.rule,
        clause=found.clause,
        passed=found.passed,
        expected=found.expected,
        found=found.found,
        offset=found.offset,
    )


def content_facts(content: Content) -> pb.ContentFacts:
    if isinstance(content, AuditCheckpoint):
        return pb.ContentFacts(kind=content.kind, sha256=content.sha256)
    return pb.ContentFacts(
        kind=content.kind,
        message_code=str(content.message_code),
        use_case=content.message_code.use_case,
        originator=str(content.originator),
        recipient=str(content.recipient),
        originator_counter=content.originator_counter,
        payload_family=content.payload_family,
        sha256=content.sha256,
        service_reference_variants=content.message_code.service_reference_variants,
    )


def _content_of(item: Item) -> Content:
    """What was asked for, read once more: a signature given again comes without its content."""
    if isinstance(item, Refused):
        raise TypeError("what was refused is not given again")
    return decode(item.kind, item.octets)


def _message(content: Content) -> bytes:
    if not isinstance(content, GbcsCommand):
        raise TypeError("only Commands and Pre-Commands are signed for callers")
    return content.message


def _receipt(receipt: Receipt) -> pb.Receipt:
    return pb.Receipt(origin=receipt.origin, leaf_index=receipt.leaf_index, leaf_hash=receipt.leaf_hash)
