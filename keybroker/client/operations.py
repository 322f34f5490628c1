"""The requests of the line as calls, for asyncio: each makes a request, has it carried, and gives what became of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from keybroker.client.answers import Answer, PrepaymentToken, Processed, SignedMessage
from keybroker.client.replies import as_processed, as_signed, as_token
from keybroker.client.requests import Handshake, HandshakeRequest, Request, SigningRequest, TopUpRequest
from keybroker.terms import ContentKind, EntityIdentifier


class AsyncOperations(ABC):
    """``key`` is the key's label in the register. Certificates are DER, the end entity's first, then its issuers."""

    @abstractmethod
    async def send(self, request: Request) -> Answer:
        """Any request of the line. Raises: its error."""

    async def sign_pre_command(
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
        request = SigningRequest(
            kind=ContentKind.PRE_COMMAND,
            key=key,
            octets=octets,
            request_id=request_id,
            supply_sensitive_checks=tuple(supply_sensitive_checks),
            service_request=service_request,
            signer_certificates=tuple(signer_certificates),
        )
        return as_signed(await self.send(request))

    async def sign_command(
        self,
        *,
        key: str,
        octets: bytes,
        service_request: bytes = b"",
        signer_certificates: Sequence[bytes] = (),
        request_id: str | None = None,
    ) -> SignedMessage:
        """Sign a GBCS Command with a DCC party's key; a change of supplier with the incoming one's request."""
        request = SigningRequest(
            kind=ContentKind.COMMAND,
            key=key,
            octets=octets,
            request_id=request_id,
            service_request=service_request,
            signer_certificates=tuple(signer_certificates),
        )
        return as_signed(await self.send(request))

    async def sign_certificate(
        self, *, key: str, tbs_certificate: bytes, certificate_signing_request: bytes, request_id: str | None = None
    ) -> SignedMessage:
        """Have an OCA sign a TBSCertificate; the request (PKCS#10) shows that the subject holds its key. All in DER."""
        request = SigningRequest(
            kind=ContentKind.CERTIFICATE,
            key=key,
            octets=tbs_certificate,
            request_id=request_id,
            certificate_signing_request=certificate_signing_request,
        )
        return as_signed(await self.send(request))

    async def sign_revocation_list(
        self, *, key: str, tbs_cert_list: bytes, request_id: str | None = None
    ) -> SignedMessage:
        """Have an OCA sign its ARL or CRL: a TBSCertList in DER."""
        request = SigningRequest(
            kind=ContentKind.CERTIFICATE_REVOCATION_LIST, key=key, octets=tbs_cert_list, request_id=request_id
        )
        return as_signed(await self.send(request))

    async def sign_certificate_signing_request(
        self, *, key: str, certification_request_info: bytes, request_id: str | None = None
    ) -> SignedMessage:
        """Have a key sign the CertificationRequestInfo (DER) that asks for its own certificate."""
        request = SigningRequest(
            kind=ContentKind.CERTIFICATE_SIGNING_REQUEST,
            key=key,
            octets=certification_request_info,
            request_id=request_id,
        )
        return as_signed(await self.send(request))

    async def apply_command_mac(
        self,
        *,
        key: str,
        inner_command: bytes,
        device_certificates: Sequence[bytes],
        originator_certificates: Sequence[bytes] = (),
        request_id: str | None = None,
    ) -> Processed:
        """Put the Access Control Broker's MAC on a Command; the one output is the whole Command."""
        request = SigningRequest(
            kind=ContentKind.COMMAND_BEFORE_MAC,
            key=key,
            octets=inner_command,
            request_id=request_id,
            device_certificates=tuple(device_certificates),
            originator_certificates=tuple(originator_certificates),
        )
        return as_processed(await self.send(request))

    async def check_response_mac(
        self, *, key: str, message: bytes, device_certificates: Sequence[bytes], request_id: str | None = None
    ) -> Processed:
        """Check the MAC of a Response or Alert; no outputs: it is right. Raises: ProtectionInvalid where it is not."""
        request = SigningRequest(
            kind=ContentKind.PROTECTED_RESPONSE,
            key=key,
            octets=message,
            request_id=request_id,
            device_certificates=tuple(device_certificates),
        )
        return as_processed(await self.send(request))

    async def decrypt_response(
        self, *, key: str, message: bytes, device_certificates: Sequence[bytes], request_id: str | None = None
    ) -> Processed:
        """Decipher what is encrypted in a Response or Alert: an output for each item, in their order."""
        request = SigningRequest(
            kind=ContentKind.ENCRYPTED_RESPONSE,
            key=key,
            octets=message,
            request_id=request_id,
            device_certificates=tuple(device_certificates),
        )
        return as_processed(await self.send(request))

    async def sign_service_request(
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
        request = SigningRequest(
            kind=ContentKind.SERVICE_REQUEST,
            key=key,
            octets=service_request,
            request_id=request_id,
            supply_sensitive_checks=tuple(supply_sensitive_checks),
            originator_certificates=tuple(originator_certificates),
        )
        return as_signed(await self.send(request))

    async def protect_smets1_instruction(
        self, *, key: str, instruction: bytes, device: EntityIdentifier, request_id: str | None = None
    ) -> Processed:
        """Protect an xDLMS APDU for a SMETS1 Device; the one output is the protected APDU."""
        request = SigningRequest(
            kind=ContentKind.SMETS1_INSTRUCTION, key=key, octets=instruction, request_id=request_id, device=device
        )
        return as_processed(await self.send(request))

    async def open_smets1_response(
        self, *, key: str, response: bytes, device: EntityIdentifier, request_id: str | None = None
    ) -> Processed:
        """Open what a SMETS1 Device answered; the one output is the plain APDU."""
        request = SigningRequest(
            kind=ContentKind.SMETS1_RESPONSE, key=key, octets=response, request_id=request_id, device=device
        )
        return as_processed(await self.send(request))

    async def sign_tls_handshake(self, *, key: str, content: Handshake, request_id: str | None = None) -> SignedMessage:
        """Sign what a TLS peer signs: one of the three forms. ``octets`` is the signature as TLS has it."""
        request = HandshakeRequest(key=key, content=content, request_id=request_id)
        return as_signed(await self.send(request))

    async def make_prepayment_token(
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
        request = TopUpRequest(
            key=key,
            originator=originator,
            device=device,
            counter=counter,
            pence=pence,
            pounds=pounds,
            device_certificates=tuple(device_certificates),
            request_id=request_id,
        )
        return as_token(await self.send(request))
