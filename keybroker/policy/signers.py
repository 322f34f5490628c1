"""Who signed what came with a request? Other systems' signatures, relied on only as their certificates allow.

SEC G2.22B(a): information from the other relevant system is used only with that system's verified signature.
"""

from __future__ import annotations

from collections.abc import Sequence

from keybroker.content.duis.model import DuisDocument
from keybroker.content.duis.xml_signature import names_issuer
from keybroker.content.signed_object import signature_verifies
from keybroker.content.signed_pre_command import SignedPreCommand
from keybroker.policy.certificates import CertificateUnfit, public_point
from keybroker.policy.model import CertificateFacts, Situation
from keybroker.policy.relying import rely_on
from keybroker.terms import EntityIdentifier, KeyUsage, RemotePartyRole


def rely_on_user_xml(document: DuisDocument, chain: Sequence[bytes], situation: Situation) -> CertificateFacts:
    """The certificate of the User that signed a Service Request with its XML key (role 87), its RequestID's originator.

    ``chain`` is DER, end entity first. Raises: CertificateUnfit, which says why the signature cannot be relied on.
    """
    if document.signature is None or document.request_identifier is None:
        raise CertificateUnfit("expected a signed Service Request, found no signature")
    facts = _rely_on(chain, situation, frozenset({RemotePartyRole.XML_SIGN}), document.request_identifier.originator)
    if not names_issuer(document.signature, chain[0]):
        raise CertificateUnfit(
            f"expected KeyInfo of the certificate beside it, found {document.signature.issuer},"
            f" serial {document.signature.serial}"
        )
    _verify(chain[0], document.signature.signed_info, document.signature.signature)
    return facts


def rely_on_originator(signed: SignedPreCommand, chain: Sequence[bytes], situation: Situation) -> CertificateFacts:
    """The certificate of the originator that signed a Pre-Command. Raises: CertificateUnfit."""
    command = signed.command
    facts = _rely_on(chain, situation, command.message_code.signers, command.originator)
    _verify(chain[0], command.to_be_signed, signed.signature)
    return facts


def _rely_on(
    chain: Sequence[bytes], situation: Situation, roles: frozenset[RemotePartyRole], eui: EntityIdentifier
) -> CertificateFacts:
    if not chain:
        raise CertificateUnfit("expected the signer's certificate beside it, found none")
    facts = rely_on(chain, situation)
    if facts.role not in roles:
        expected = " or ".join(role.ou for role in sorted(roles)) or "of nobody"
        raise CertificateUnfit(f"expected a certificate of role {expected}, found {facts.role.ou}")
    if facts.usage is not KeyUsage.DIGITAL_SIGNATURE:
        raise CertificateUnfit(f"expected a certificate for digitalSignature, found {facts.usage}")
    if facts.eui != eui:
        raise CertificateUnfit(f"expected the certificate of {eui}, found that of {facts.eui}")
    return facts


def _verify(certificate: bytes, message: bytes, signature: bytes) -> None:
    if not signature_verifies(public_point(certificate), message, signature):
        raise CertificateUnfit("expected a signature by the key of the certificate beside it, found another")
