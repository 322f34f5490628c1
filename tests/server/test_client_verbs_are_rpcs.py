"""Every RPC of the line by the client's own method for it, through a running broker and a real token."""

from __future__ import annotations

from typing import Any

import pytest

from keybroker.client import Broker, Processed, SignedMessage
from keybroker.terms import ContentKind, KeyPurpose
from tests.conftest import RunningDeployment
from tests.offers import Offers, caller_of
from tests.server.every_rpc import METHODS

pytestmark = pytest.mark.hsm


def test_the_verbs_of_the_client_are_the_rpcs(deployment: RunningDeployment) -> None:
    """Each by its own method, from a thread's client, with what it takes."""
    offered = Offers(deployment)
    supplier, dcc = deployment.broker("supplier-a"), deployment.broker("dcc")
    answers = [_by_method(supplier if caller_of(p) == "supplier-a" else dcc, p, k, offered) for p, k in METHODS]
    assert all(isinstance(answer, SignedMessage | Processed) or answer.pptd for answer in answers)


def _by_method(broker: Broker, purpose: KeyPurpose, kind: ContentKind, offered: Offers) -> Any:
    request: Any = offered.good(purpose, kind)
    key = request.key
    match kind:
        case ContentKind.PRE_COMMAND:
            return broker.sign_pre_command(key=key, octets=request.octets)
        case ContentKind.COMMAND:
            return broker.sign_command(key=key, octets=request.octets)
        case ContentKind.CERTIFICATE:
            csr = request.certificate_signing_request
            return broker.sign_certificate(key=key, tbs_certificate=request.octets, certificate_signing_request=csr)
        case ContentKind.CERTIFICATE_REVOCATION_LIST:
            return broker.sign_revocation_list(key=key, tbs_cert_list=request.octets)
        case ContentKind.CERTIFICATE_SIGNING_REQUEST:
            return broker.sign_certificate_signing_request(key=key, certification_request_info=request.octets)
        case ContentKind.COMMAND_BEFORE_MAC:
            chain = request.device_certificates
            return broker.apply_command_mac(key=key, inner_command=request.octets, device_certificates=chain)
        case ContentKind.PROTECTED_RESPONSE:
            chain = request.device_certificates
            return broker.check_response_mac(key=key, message=request.octets, device_certificates=chain)
        case ContentKind.ENCRYPTED_RESPONSE:
            chain = request.device_certificates
            return broker.decrypt_response(key=key, message=request.octets, device_certificates=chain)
        case ContentKind.PREPAYMENT_TOP_UP:
            return broker.make_prepayment_token(
                key=key,
                originator=request.originator,
                device=request.device,
                counter=request.counter,
                pence=request.pence,
                device_certificates=request.device_certificates,
            )
        case ContentKind.SERVICE_REQUEST:
            return broker.sign_service_request(key=key, service_request=request.octets)
        case ContentKind.SMETS1_INSTRUCTION:
            return broker.protect_smets1_instruction(key=key, instruction=request.octets, device=request.device)
        case ContentKind.SMETS1_RESPONSE:
            return broker.open_smets1_response(key=key, response=request.octets, device=request.device)
        case _:
            return broker.sign_tls_handshake(key=key, content=request.content)
