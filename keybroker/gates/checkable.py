"""What is there in these octets for a Supply Sensitive Check to be about, and is it supply sensitive? SEC G3.25.

By what the broker reads in the octets: a Pre-Command's Message Code leads to Service Reference Variants, and where it
leads to several, the Service Request that its User signed says which. What stays undecided is as sensitive as the
strictest of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from keybroker.clause import clause
from keybroker.content.contents import Content
from keybroker.content.duis.model import DocumentForm
from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.content.model import GbcsCommand
from keybroker.content.service_request import ServiceRequest
from keybroker.gates.supply_sensitive import Sensitivity, strictest_of
from keybroker.terms import ContentKind, EntityIdentifier

_TRANSFORM = 4
"""The Command Variant of a critical Service Request that the DCC makes into a Pre-Command (handbook 4.2)."""

_CRITICAL = frozenset(each.variant for each in SERVICE_REFERENCE_VARIANTS.values() if each.critical)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkable:
    """What a check of it must say. ``sha256`` is of the octets as they came; ``request_id`` as DUIS writes it.

    ``variants`` are those that the check may name, ``undecided`` those among which nothing that is signed decides: none
    where DUIS knows of none.
    """

    sha256: bytes
    request_id: str
    user: EntityIdentifier
    device: EntityIdentifier
    variants: frozenset[str]
    undecided: frozenset[str]

    def sensitivity(self, at: datetime) -> Sensitivity:
        return strictest_of(self.undecided, at)


@clause("G3.25(a)")
def checkable(content: Content) -> Checkable | None:
    """None for what G3.25 says nothing of: all but Pre-Commands and critical SMETS1 Service Requests."""
    match content:
        case GbcsCommand(kind=ContentKind.PRE_COMMAND):
            return _pre_command(content)
        case ServiceRequest() if is_smets1_critical(content):
            return _service_request(content)
        case _:
            return None


# SEC G3.25(a): "prior to Digitally Signing a Pre-Command or SMETS1 Service Request in respect of any Supply Sensitive
# Service Request". A Service Request to be transformed has its check when its Pre-Command is signed; a Signed
# Pre-Command had it then; what is not critical becomes no Pre-Command (handbook 4.2).
def is_smets1_critical(content: ServiceRequest) -> bool:
    """A critical one that is no Transform and carries no Signed Pre-Command: SMETS1 alone sends such."""
    document = content.document
    critical = document.service_reference_variant in _CRITICAL
    return document.form is DocumentForm.SERVICE_REQUEST and critical and document.command_variant != _TRANSFORM


def _pre_command(content: GbcsCommand) -> Checkable:
    possible = _of_pre_commands(content.message_code.service_reference_variants)
    request = content.service_request
    # The rules compared it with the Pre-Command, and verified its signature where it has one (gave_rise).
    stated = possible & {request.service_reference_variant} if request is not None else frozenset()
    signed = request is not None and request.signature is not None
    return Checkable(
        sha256=sha256(content.octets).digest(),
        request_id=f"{content.originator}:{content.recipient}:{content.originator_counter}",
        user=content.originator,
        device=content.recipient,
        variants=stated or possible or _CRITICAL,
        undecided=stated if stated and signed else possible,
    )


def _of_pre_commands(variants: Iterable[str]) -> frozenset[str]:
    """A Pre-Command is made of a critical Service Request alone: another of its code makes it no less sensitive."""
    named = frozenset(variants)
    return named & _CRITICAL or named


def _service_request(content: ServiceRequest) -> Checkable:
    document = content.document
    identifier = document.request_identifier
    if identifier is None:
        raise ValueError("a Service Request has a RequestID, or its reader refused it")
    variants = frozenset({document.service_reference_variant})
    return Checkable(
        sha256=sha256(content.octets).digest(),
        request_id=str(identifier),
        user=identifier.originator,
        device=identifier.target,
        variants=variants,
        undecided=variants,
    )
