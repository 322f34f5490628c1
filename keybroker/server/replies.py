"""What does the caller get? Outcomes of the line, findings and facts, to protocol buffers."""

from __future__ import annotations

from keybroker.content.assembly import PROCESSED_KINDS, assemble, assemble_outputs
from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.content.facts import facts_of
from keybroker.content.model import GbcsCommand
from keybroker.errors import KeybrokerError
from keybroker.ledger.model import Concluded, GivenAgain, Receipt, Refused
from keybroker.pb import signing_pb2 as pb
from keybroker.server.status import finding, item_status
from keybroker.signing import Ask, Item, Outcome

__all__ = ["content_facts", "finding", "processed", "sign_outcome", "signed"]


def signed(item: Item, outcome: Concluded | GivenAgain) -> pb.Signed:
    """What was signed, put together with its signature, and its receipt."""
    if isinstance(outcome, Concluded):
        decision = outcome.intent.permit.decision
        content, certificate, reused = decision.content, decision.key.certificate_der, outcome.reused
    else:
        content, certificate, reused = _content_of(item), outcome.certificate, 0
    return pb.Signed(
        signed_message=assemble(content, outcome.outputs, certificate=certificate),
        signature=outcome.signature,
        receipt=_receipt(outcome.receipt),
        given_again=isinstance(outcome, GivenAgain),
        counter_reused=reused,
    )


def processed(item: Item, outcome: Concluded | GivenAgain) -> pb.Processed:
    """What a key made that is no signature, and its receipt."""
    again = isinstance(outcome, GivenAgain)
    content = _content_of(item) if isinstance(outcome, GivenAgain) else outcome.intent.permit.decision.content
    return pb.Processed(
        outputs=assemble_outputs(content, outcome.outputs), receipt=_receipt(outcome.receipt), given_again=again
    )


def sign_outcome(request_id: str, item: Item, outcome: Outcome) -> pb.SignOutcome:
    """One item's outcome in a batch or stream, under the request_id that the caller sent."""
    if isinstance(outcome, KeybrokerError):
        return pb.SignOutcome(request_id=request_id, error=item_status(outcome))
    if isinstance(item, Ask) and item.kind in PROCESSED_KINDS:
        return pb.SignOutcome(request_id=request_id, processed=processed(item, outcome))
    return pb.SignOutcome(request_id=request_id, signed=signed(item, outcome))


def content_facts(content: Content) -> pb.ContentFacts:
    facts = facts_of(content)
    if not isinstance(content, GbcsCommand):
        return pb.ContentFacts(kind=content.kind, sha256=content.sha256, facts=facts)
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
        facts=facts,
    )


def _content_of(item: Item) -> Content:
    """What was asked for, read once more: a result given again comes without its content."""
    if isinstance(item, Refused):
        raise TypeError("what was refused is not given again")
    return decode(item.kind, item.octets, item.accompanying)


def _receipt(receipt: Receipt) -> pb.Receipt:
    return pb.Receipt(origin=receipt.origin, leaf_index=receipt.leaf_index, leaf_hash=receipt.leaf_hash)
