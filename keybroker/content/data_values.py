"""Which data values does this content hold, that a threshold may be set on? A number by name, of a first set of codes.

SEC G6.6(b): "a data value that has been agreed with the Security Sub-Committee within each Signed Pre-Command relating
to that Service Reference Variant and SMETS1 Service Request"; G6.1(d)(i) for what follows. What cannot be read whole
cannot be held against a threshold, so it is refused. Which thresholds there are is the gates' question.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from keybroker.clause import clause
from keybroker.content.certificate import TbsCertificate
from keybroker.content.contents import Content
from keybroker.content.data_values_dlms import LAYOUTS, read_dlms_values
from keybroker.content.data_values_gbz import GBZ_NAMES, read_gbz_values
from keybroker.content.duis.data_values import VARIANT_VALUES
from keybroker.content.duis.service_reference_variants import SERVICE_REFERENCE_VARIANTS
from keybroker.content.encrypted_response import EncryptedResponse
from keybroker.content.inner_command import InnerCommand
from keybroker.content.model import AuditCheckpoint, GbcsCommand
from keybroker.content.prepayment import PrepaymentTopUp
from keybroker.content.protected_response import ProtectedResponse
from keybroker.content.revocation_list import TbsCertList
from keybroker.content.service_request import ServiceRequest
from keybroker.content.signed_pre_command import SignedPreCommand
from keybroker.content.signing_request import CertificationRequestInfo
from keybroker.content.smets1_instruction import Smets1Instruction
from keybroker.content.smets1_response import Smets1Response
from keybroker.content.tls_handshake import TlsHandshake
from keybroker.errors import ContentMalformed

__all__ = ["VALUES", "VARIANT_VALUES", "code_of_values", "data_values"]

VALUES: Mapping[int, frozenset[str]] = MappingProxyType(
    {code: frozenset(item.name for item in layout if item.name) for code, layout in LAYOUTS.items()} | dict(GBZ_NAMES)
)
"""The names of the values in Commands, by Message Code. A threshold on any other code or name has nothing to read."""


@clause("G6.3(b)", "G6.6(b)", "G6.6(d)")
def data_values(content: Content) -> Mapping[str, int]:
    """Every value in a Command of one of ``VALUES``, or in a Service Request; none in anything else.

    Raises: ContentMalformed.
    """
    match content:
        case GbcsCommand() | InnerCommand():
            return _command_values(content)
        case ServiceRequest():
            return _request_values(content)
        case (
            AuditCheckpoint()
            | TbsCertificate()
            | TbsCertList()
            | CertificationRequestInfo()
            | ProtectedResponse()
            | EncryptedResponse()
            | PrepaymentTopUp()
            | Smets1Instruction()
            | Smets1Response()
            | TlsHandshake()
        ):
            return {}
        case _:
            assert_never(content)


def code_of_values(content: Content) -> int | None:
    """The Message Code whose thresholds these values are held against; None where the content has none of them.

    A Service Request has no Message Code, but its values are named as those of one. Raises: ContentMalformed.
    """
    names = data_values(content).keys()
    return next((code for code, known in VALUES.items() if names and names <= known), None)


def _command_values(command: GbcsCommand | InnerCommand) -> Mapping[str, int]:
    code = command.message_code.value
    if code in LAYOUTS:
        return read_dlms_values(command.message, command.content_offset, LAYOUTS[code])
    if code in GBZ_NAMES:
        return read_gbz_values(command.message, command.content_offset)
    return {}


def _request_values(request: ServiceRequest) -> Mapping[str, int]:
    document = request.document
    if request.signed_pre_command is not None:
        return _signed_values(request.signed_pre_command, document.payload_offset)
    variant = document.service_reference_variant
    if variant in VARIANT_VALUES and document.body_element != SERVICE_REFERENCE_VARIANTS[variant].body_element:
        raise ContentMalformed(
            offset=document.body_offset,
            expected=f"for variant {variant} the body {SERVICE_REFERENCE_VARIANTS[variant].body_element}",
            found=document.body_element[:100],
            source="DUIS Service Request, handbook 1.13",
        )
    return dict(document.data_values)


def _signed_values(signed: SignedPreCommand, offset: int) -> Mapping[str, int]:
    try:
        return _command_values(signed.command)
    except ContentMalformed as error:
        raise ContentMalformed(
            offset=offset,
            expected="data values in GBCSPayload that can be read",
            found=f"others: {error.sentence}",
            source=error.source,
        ) from error
