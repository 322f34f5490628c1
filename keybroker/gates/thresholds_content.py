"""What in these octets counts against an Anomaly Detection Threshold, and whose is it? SEC G6.3(a), G6.6(a), (c)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from keybroker.clause import clause
from keybroker.content.contents import Content
from keybroker.content.duis.model import DocumentForm, DuisDocument
from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.content.inner_command import InnerCommand
from keybroker.content.message_codes import MESSAGE_CODES
from keybroker.content.model import GbcsCommand, MessageCode
from keybroker.content.service_request import ServiceRequest
from keybroker.gates.checkable import is_smets1_critical
from keybroker.terms import ContentKind

_CRITICAL, _ENCRYPTED = "critical", "encrypted"
_SIGNED, _WITH_MAC = "signed", "mac"


@dataclass(frozen=True, slots=True, kw_only=True)
class Countable:
    """``user`` is the User ID to which it relates; ``subjects`` are (measure, variant or Message Code): all of them
    count where nothing decides between several variants, and none where only its data values are looked at.

    ``stage``: a Command counts once where it is signed, and once where its MAC is put on. ``deletes``: what has a data
    value out of range is deleted (SEC G6.1(d)(i)).
    """

    user: str
    subjects: tuple[tuple[str, str], ...]
    stage: str = _SIGNED
    deletes: bool = False


@clause("G6.3(a)", "G6.6(a)", "G6.6(c)")
def countable(content: Content, encrypted: frozenset[str]) -> Countable | None:
    """None for what no threshold is about. ``encrypted`` are the variants whose Responses hold encrypted data."""
    match content:
        case GbcsCommand():
            user = content.supplementary_party or content.originator
            return Countable(user=str(user), subjects=_of_command(content))
        case InnerCommand() if content.signature:
            user = content.supplementary_party or content.originator
            subjects = _of_code(content.message_code, content.message_code.service_reference_variants)
            return Countable(user=str(user), subjects=subjects, stage=_WITH_MAC)
        case ServiceRequest() if content.document.form is not DocumentForm.RESPONSE:
            return _of_request(content, encrypted)
        case _:
            return None


def critical_variants() -> tuple[str, ...]:
    """Every variant that a critical Command, or a critical SMETS1 Service Request, may relate to."""
    return tuple(
        each.variant
        for each in SERVICE_REFERENCE_VARIANTS.values()
        if each.critical or any(_is_signed(code) for code in each.message_codes)
    )


# SEC G6.3(a)(i): "the sum total of the number of Critical Commands and the number of SMETS1 Service Requests that are
# Critical Service Requests which relate to each such Service Reference Variant". A Command that is signed is critical;
# a Pre-Command is made of a critical Service Request alone.
def _of_command(command: GbcsCommand) -> tuple[tuple[str, str], ...]:
    possible = frozenset(command.message_code.service_reference_variants)
    stated = possible & _stated(command.service_request)
    if command.kind is ContentKind.PRE_COMMAND:
        possible = frozenset(each for each in possible if SERVICE_REFERENCE_VARIANTS[each].critical) or possible
    return _of_code(command.message_code, stated or possible)


def _stated(request: DuisDocument | None) -> frozenset[str]:
    # Only one whose signature the rules verified decides between several.
    if request is None or request.signature is None:
        return frozenset()
    return frozenset({request.service_reference_variant})


# SEC G6.6(c): "the total number of each type of Critical Command that is not related to a Service Reference Variant".
def _of_code(code: MessageCode, variants: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((_CRITICAL, variant) for variant in sorted(variants)) or ((_CRITICAL, str(code)),)


def _of_request(content: ServiceRequest, encrypted: frozenset[str]) -> Countable | None:
    document = content.document
    if document.request_identifier is None:
        return None
    variant, smets1 = document.service_reference_variant, is_smets1_critical(content)
    subjects = [(_CRITICAL, variant)] if smets1 else []
    # SEC G6.3(a)(ii): "the total number of Service Requests relating to each such Service Reference Variant in respect
    # of which [...] there are Service Responses that would contain Data of a type which is Encrypted".
    if document.form is DocumentForm.SERVICE_REQUEST and variant in encrypted:
        subjects.append((_ENCRYPTED, variant))
    return Countable(user=str(document.request_identifier.originator), subjects=tuple(subjects), deletes=smets1)


def _is_signed(code: int) -> bool:
    return bool(MESSAGE_CODES[code].signers)
