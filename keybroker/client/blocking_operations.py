"""The requests of the line as calls, for threads: AsyncOperations', run elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from keybroker.client.answers import PrepaymentToken, Processed, SignedMessage
from keybroker.client.operations import AsyncOperations
from keybroker.client.requests import Handshake
from keybroker.terms import EntityIdentifier

Answer = TypeVar("Answer")


class BlockingOperations(ABC):
    """As AsyncOperations."""

    _operations: AsyncOperations

    @abstractmethod
    def _run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Wait for ``work`` from another thread."""

    def sign_pre_command(
        self,
        *,
        key: str,
        octets: bytes,
        service_request: bytes = b"",
        signer_certificates: Sequence[bytes] = (),
        supply_sensitive_checks: Sequence[str] = (),
        request_id: str | None = None,
    ) -> SignedMessage:
        """Sign a GBCS Pre-Command with a User's key.

        ``service_request`` (signed DUIS XML) and the certificates of its signer, where both are to be compared;
        ``supply_sensitive_checks`` are statements of a check system (``keybroker.client.ssc``), where one is demanded.
        Raises: any Refusal or Fault of ``keybroker.errors``, as every call here."""
        work = self._operations.sign_pre_command(
            key=key,
            octets=octets,
            service_request=service_request,
            signer_certificates=signer_certificates,
            supply_sensitive_checks=supply_sensitive_checks,
            request_id=request_id,
        )
        return self._run(work)

    def sign_command(
        self,
        *,
        key: str,
        octets: bytes,
        service_request: bytes = b"",
        signer_certificates: Sequence[bytes] = (),
        request_id: str | None = None,
    ) -> SignedMessage:
        """Sign a GBCS Command with a DCC party's key; a change of supplier with the incoming one's request."""
        work = self._operations.sign_command(
            key=key,
            octets=octets,
            service_request=service_request,
            signer_certificates=signer_certificates,
            request_id=request_id,
        )
        return self._run(work)

    def sign_certificate(
        self, *, key: str, tbs_certificate: bytes, certificate_signing_request: bytes, request_id: str | None = None
    ) -> SignedMessage:
        """Have an OCA sign a TBSCertificate; the request (PKCS#10) shows that the subject holds its key. All in DER."""
        work = self._operations.sign_certificate(
            key=key,
            tbs_certificate=tbs_certificate,
            certificate_signing_request=certificate_signing_request,
            request_id=request_id,
        )
        return self._run(work)

    def sign_revocation_list(self, *, key: str, tbs_cert_list: bytes, request_id: str | None = None) -> SignedMessage:
        """Have an OCA sign its ARL or CRL: a TBSCertList in DER."""
        work = self._operations.sign_revocation_list(key=key, tbs_cert_list=tbs_cert_list, request_id=request_id)
        return self._run(work)

    def sign_certificate_signing_request(
        self, *, key: str, certification_request_info: bytes, request_id: str | None = None
    ) -> SignedMessage:
        """Have a key sign the CertificationRequestInfo (DER) that asks for its own certificate."""
        work = self._operations.sign_certificate_signing_request(
            key=key, certification_request_info=certification_request_info, request_id=request_id
        )
        return self._run(work)

    def apply_command_mac(
        self,
        *,
        key: str,
        inner_command: bytes,
        device_certificates: Sequence[bytes],
        originator_certificates: Sequence[bytes] = (),
        request_id: str | None = None,
    ) -> Processed:
        """Put the Access Control Broker's MAC on a Command; the one output is the whole Command."""
        work = self._operations.apply_command_mac(
            key=key,
            inner_command=inner_command,
            device_certificates=device_certificates,
            originator_certificates=originator_certificates,
            request_id=request_id,
        )
        return self._run(work)

    def check_response_mac(
        self, *, key: str, message: bytes, device_certificates: Sequence[bytes], request_id: str | None = None
    ) -> Processed:
        """Check the MAC of a Response or Alert; no outputs: it is right. Raises: ProtectionInvalid where it is not."""
        work = self._operations.check_response_mac(
            key=key, message=message, device_certificates=device_certificates, request_id=request_id
        )
        return self._run(work)

    def decrypt_response(
        self, *, key: str, message: bytes, device_certificates: Sequence[bytes], request_id: str | None = None
    ) -> Processed:
        """Decipher what is encrypted in a Response or Alert: an output for each item, in their order."""
        work = self._operations.decrypt_response(
            key=key, message=message, device_certificates=device_certificates, request_id=request_id
        )
        return self._run(work)

    def sign_service_request(
        self,
        *,
        key: str,
        service_request: bytes,
        originator_certificates: Sequence[bytes] = (),
        supply_sensitive_checks: Sequence[str] = (),
        request_id: str | None = None,
    ) -> SignedMessage:
        """Sign a DUIS message (UTF-8); for a Signed Pre-Command with the certificates behind its GBCS payload, for a
        critical SMETS1 Service Request with the statement of the check that it demands."""
        work = self._operations.sign_service_request(
            key=key,
            service_request=service_request,
            originator_certificates=originator_certificates,
            supply_sensitive_checks=supply_sensitive_checks,
            request_id=request_id,
        )
        return self._run(work)

    def protect_smets1_instruction(
        self, *, key: str, instruction: bytes, device: EntityIdentifier, request_id: str | None = None
    ) -> Processed:
        """Protect an xDLMS APDU for a SMETS1 Device; the one output is the protected APDU."""
        work = self._operations.protect_smets1_instruction(
            key=key, instruction=instruction, device=device, request_id=request_id
        )
        return self._run(work)

    def open_smets1_response(
        self, *, key: str, response: bytes, device: EntityIdentifier, request_id: str | None = None
    ) -> Processed:
        """Open what a SMETS1 Device answered; the one output is the plain APDU."""
        work = self._operations.open_smets1_response(key=key, response=response, device=device, request_id=request_id)
        return self._run(work)

    def sign_tls_handshake(self, *, key: str, content: Handshake, request_id: str | None = None) -> SignedMessage:
        """Sign what a TLS peer signs: one of the three forms. ``octets`` is the signature as TLS has it."""
        work = self._operations.sign_tls_handshake(key=key, content=content, request_id=request_id)
        return self._run(work)

    def make_prepayment_token(
        self,
        *,
        key: str,
        originator: EntityIdentifier,
        device: EntityIdentifier,
        counter: int,
        device_certificates: Sequence[bytes],
        pence: int | None = None,
        pounds: int | None = None,
        request_id: str | None = None,
    ) -> PrepaymentToken:
        """Make a prepayment token of so many pence or pounds, one of them, for a Device.

        The low 32 bits of ``counter`` are zero. Raises: also ValueError where no amount or both are given."""
        work = self._operations.make_prepayment_token(
            key=key,
            originator=originator,
            device=device,
            counter=counter,
            pence=pence,
            pounds=pounds,
            device_certificates=device_certificates,
            request_id=request_id,
        )
        return self._run(work)
