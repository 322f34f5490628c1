"""Every kind of Content: what a decoder makes, and everything after it matches on."""

from __future__ import annotations

from keybroker.content.certificate import TbsCertificate
from keybroker.content.encrypted_response import EncryptedResponse
from keybroker.content.inner_command import InnerCommand
from keybroker.content.model import AuditCheckpoint, GbcsCommand
from keybroker.content.prepayment import PrepaymentTopUp
from keybroker.content.protected_response import ProtectedResponse
from keybroker.content.revocation_list import TbsCertList
from keybroker.content.service_request import ServiceRequest
from keybroker.content.signing_request import CertificationRequestInfo
from keybroker.content.smets1_instruction import Smets1Instruction
from keybroker.content.smets1_response import Smets1Response
from keybroker.content.tls_handshake import TlsHandshake

Content = (
    GbcsCommand
    | AuditCheckpoint
    | TbsCertificate
    | TbsCertList
    | CertificationRequestInfo
    | InnerCommand
    | ProtectedResponse
    | EncryptedResponse
    | PrepaymentTopUp
    | ServiceRequest
    | Smets1Instruction
    | Smets1Response
    | TlsHandshake
)
"""Each has ``kind``, ``octets`` (as they came), ``use_kind`` and ``accompanying``, and ``sha256``: for a signature the
digest that is signed, for every other use SHA-256 of what the key is used on.
"""
