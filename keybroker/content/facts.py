"""What do records and explanations say of a Content? One mapping of words for each kind."""

from __future__ import annotations

from typing import assert_never

from keybroker.content.certificate import TbsCertificate, certificate_facts
from keybroker.content.contents import Content
from keybroker.content.encrypted_response import EncryptedResponse, encrypted_response_facts
from keybroker.content.inner_command import InnerCommand, inner_command_facts
from keybroker.content.model import AuditCheckpoint, GbcsCommand
from keybroker.content.prepayment import PrepaymentTopUp, prepayment_facts
from keybroker.content.protected_response import ProtectedResponse, protected_response_facts
from keybroker.content.revocation_list import TbsCertList, revocation_list_facts
from keybroker.content.service_request import ServiceRequest, service_request_facts
from keybroker.content.signing_request import CertificationRequestInfo, signing_request_facts
from keybroker.content.smets1_instruction import Smets1Instruction, smets1_instruction_facts
from keybroker.content.smets1_response import Smets1Response, smets1_response_facts
from keybroker.content.tls_handshake import TlsHandshake, tls_handshake_facts


def facts_of(content: Content) -> dict[str, str]:
    """What the decoder read, as far as an auditor asks; numbers in decimal, octets in lower-case hexadecimal."""
    match content:
        case GbcsCommand():
            return _command_facts(content)
        case AuditCheckpoint():
            return _checkpoint_facts(content)
        case TbsCertificate():
            return certificate_facts(content)
        case TbsCertList():
            return revocation_list_facts(content)
        case CertificationRequestInfo():
            return signing_request_facts(content)
        case InnerCommand():
            return inner_command_facts(content)
        case ProtectedResponse():
            return protected_response_facts(content)
        case EncryptedResponse():
            return encrypted_response_facts(content)
        case PrepaymentTopUp():
            return prepayment_facts(content)
        case ServiceRequest():
            return service_request_facts(content)
        case Smets1Instruction():
            return smets1_instruction_facts(content)
        case Smets1Response():
            return smets1_response_facts(content)
        case TlsHandshake():
            return tls_handshake_facts(content)
        case _:
            assert_never(content)


def _command_facts(content: GbcsCommand) -> dict[str, str]:
    facts = {
        "code": str(content.message_code),
        "counter": str(content.originator_counter),
        "family": content.payload_family.value,
        "kind": content.kind.value,
        "originator": str(content.originator),
        "recipient": str(content.recipient),
        "use_case": content.message_code.use_case,
    }
    if content.supplementary_party is not None:
        facts["supplementary_party"] = str(content.supplementary_party)
        facts["supplementary_counter"] = str(content.supplementary_counter)
    if content.service_request is not None:
        facts["service_request"] = str(content.service_request.request_identifier)
        facts["service_request_sha256"] = content.service_request.sha256.hex()
    if content.credentials is not None:
        facts["replaced"] = ", ".join(str(each.cell) for each in content.credentials.replacements)
    return facts


def _checkpoint_facts(content: AuditCheckpoint) -> dict[str, str]:
    return {
        "kind": content.kind.value,
        "origin": content.origin,
        "root_hash": content.root_hash.hex(),
        "tree_size": str(content.tree_size),
    }
