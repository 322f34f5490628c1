"""Which decoder reads what was declared? One a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from keybroker.content.accompanied_command import decode_accompanied_command
from keybroker.content.certificate import decode_certificate
from keybroker.content.checkpoint import decode_checkpoint
from keybroker.content.contents import Content
from keybroker.content.encrypted_response import decode_encrypted_response
from keybroker.content.inner_command import decode_inner_command
from keybroker.content.model import Accompanying
from keybroker.content.prepayment import decode_prepayment_top_up
from keybroker.content.protected_response import decode_protected_response
from keybroker.content.revocation_list import decode_revocation_list
from keybroker.content.service_request import decode_service_request
from keybroker.content.signing_request import decode_signing_request
from keybroker.content.smets1_instruction import decode_smets1_instruction
from keybroker.content.smets1_response import decode_smets1_response
from keybroker.content.tls_handshake import decode_tls_handshake
from keybroker.terms import ContentKind


def decode(kind: ContentKind, octets: bytes, accompanying: Sequence[Accompanying] = ()) -> Content:
    """Read ``octets``, and what came beside them, as the declared ``kind``.

    Raises: ContentMalformed or one of its subclasses, nothing else.
    """
    match kind:
        case ContentKind.PRE_COMMAND | ContentKind.COMMAND:
            return decode_accompanied_command(kind, octets, accompanying)
        case ContentKind.AUDIT_CHECKPOINT:
            return decode_checkpoint(octets)
        case ContentKind.CERTIFICATE | ContentKind.ROOT_CERTIFICATE:
            return decode_certificate(kind, octets, accompanying)
        case ContentKind.CERTIFICATE_REVOCATION_LIST:
            return decode_revocation_list(kind, octets, accompanying)
        case ContentKind.CERTIFICATE_SIGNING_REQUEST:
            return decode_signing_request(kind, octets, accompanying)
        case ContentKind.COMMAND_BEFORE_MAC:
            return decode_inner_command(kind, octets, accompanying)
        case ContentKind.PROTECTED_RESPONSE:
            return decode_protected_response(kind, octets, accompanying)
        case ContentKind.ENCRYPTED_RESPONSE:
            return decode_encrypted_response(kind, octets, accompanying)
        case ContentKind.PREPAYMENT_TOP_UP:
            return decode_prepayment_top_up(kind, octets, accompanying)
        case ContentKind.SERVICE_REQUEST:
            return decode_service_request(kind, octets, accompanying)
        case ContentKind.SMETS1_INSTRUCTION:
            return decode_smets1_instruction(kind, octets, accompanying)
        case ContentKind.SMETS1_RESPONSE:
            return decode_smets1_response(kind, octets, accompanying)
        case ContentKind.TLS_HANDSHAKE:
            return decode_tls_handshake(kind, octets, accompanying)
        case _:
            assert_never(kind)
