"""What pkilint says of certificates and revocation lists (RFC 5280, as its own command lines put it together)."""

from __future__ import annotations

from functools import cache
from typing import Any

from pkilint import loader, pkix
from pkilint.pkix import certificate, crl, extension, name
from pyasn1.type import univ
from pyasn1_alt_modules import rfc5280

X500_UNIQUE_IDENTIFIER = univ.ObjectIdentifier("2.5.4.45")
_ATTRIBUTES = {**name.ATTRIBUTE_TYPE_MAPPINGS, X500_UNIQUE_IDENTIFIER: rfc5280.UniqueIdentifier()}
"""pkilint takes an x500UniqueIdentifier for a DirectoryString; by X.520 it is a BIT STRING, as SMKI has it (handbook
3.2). Corrected, not passed over: a name that it cannot read it would not look at.
"""


def lint_certificate(der: bytes) -> set[str]:
    """The code of every finding, its severity in front."""
    document = loader.RFC5280CertificateDocumentLoader().load_der_document(der, "certificate")
    return _findings(_certificates().validate(document.root))


def lint_list(der: bytes) -> set[str]:
    """The same for an ARL or CRL."""
    document = loader.RFC5280CertificateListDocumentLoader().load_der_document(der, "list")
    return _findings(_lists().validate(document.root))


def _findings(results: Any) -> set[str]:
    return {
        f"{each.finding.severity.name} {each.finding.code}"
        for result in results
        for each in result.finding_descriptions
    }


@cache
def _certificates() -> Any:
    return certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(_ATTRIBUTES, extension.EXTENSION_MAPPINGS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )


@cache
def _lists() -> Any:
    return crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(_ATTRIBUTES),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container([]),
            crl.create_extensions_validator_container([]),
        ],
    )
