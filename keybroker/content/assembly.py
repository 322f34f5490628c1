"""What does the caller get? The octets of the request and what the module made of them, put together.

A Signed Pre-Command, a Certificate, a Command with its MAC, a Service Request with its signature: each as its reader
expects it, octet for octet.
"""

from __future__ import annotations

from collections.abc import Sequence

from keybroker.content.certificate import TbsCertificate
from keybroker.content.contents import Content
from keybroker.content.duis.document import assemble_document
from keybroker.content.encrypted_response import EncryptedResponse
from keybroker.content.inner_command import InnerCommand, assemble_command
from keybroker.content.model import AuditCheckpoint, GbcsCommand
from keybroker.content.prepayment import PrepaymentTopUp, assemble_token
from keybroker.content.protected_response import ProtectedResponse
from keybroker.content.revocation_list import TbsCertList
from keybroker.content.service_request import ServiceRequest
from keybroker.content.signed_object import assemble_signed_object, ecdsa_sig_value
from keybroker.content.signing_request import CertificationRequestInfo
from keybroker.content.smets1_instruction import Smets1Instruction, smets1_instruction_whole
from keybroker.content.smets1_response import Smets1Response
from keybroker.content.tls_handshake import TlsHandshake
from keybroker.terms import ContentKind

_SIGNATURE_LENGTH = b"\x40"
"""Before r || s (GBCS, handbook 1.5)."""


PROCESSED_KINDS = frozenset(
    {
        ContentKind.COMMAND_BEFORE_MAC,
        ContentKind.PROTECTED_RESPONSE,
        ContentKind.ENCRYPTED_RESPONSE,
        ContentKind.PREPAYMENT_TOP_UP,
        ContentKind.SMETS1_INSTRUCTION,
        ContentKind.SMETS1_RESPONSE,
    }
)
"""The kinds on which a key is used otherwise than by signing."""


def assemble(content: Content, outputs: Sequence[bytes], *, certificate: bytes | None = None) -> bytes:
    """What was signed, with its signature r || s (64 octets). ``certificate`` is the key's, DER: DUIS XML names it.

    Raises: TypeError for content that nobody signs, or that lacks the certificate.
    """
    match content:
        case GbcsCommand():
            return content.message + _SIGNATURE_LENGTH + outputs[0]
        case AuditCheckpoint():
            return content.octets + outputs[0]
        case TbsCertificate() | TbsCertList() | CertificationRequestInfo():
            return assemble_signed_object(content.octets, outputs[0])
        case ServiceRequest() if certificate is not None:
            return assemble_document(content.octets, outputs[0], certificate)
        case TlsHandshake():
            return ecdsa_sig_value(outputs[0])
        case _:
            raise TypeError(f"{content.kind} is not signed, or lacks the certificate that it names")


def assemble_outputs(content: Content, outputs: Sequence[bytes]) -> tuple[bytes, ...]:
    """What another use made: the Command with its MAC, plaintexts, a PTUT, a protected or opened APDU."""
    match content:
        case InnerCommand():
            return (assemble_command(content, outputs[0]),)
        case PrepaymentTopUp():
            return (assemble_token(content, outputs[0]),)
        case Smets1Instruction():
            return (smets1_instruction_whole(content, outputs[0]),)
        case ProtectedResponse() | EncryptedResponse() | Smets1Response():
            return tuple(outputs)
        case _:
            raise TypeError(f"{content.kind} is signed")
