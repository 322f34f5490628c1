"""Every RPC of the line, by a purpose that may and a kind of content; and the purposes by a shorter name."""

from __future__ import annotations

from keybroker.terms import ContentKind, KeyPurpose

SUPPLIER = KeyPurpose.SUPPLIER_PRE_COMMAND
ISSUING = KeyPurpose.ISSUING_OCA
MAC, AGREEMENT = KeyPurpose.ACCESS_CONTROL_BROKER_MAC, KeyPurpose.USER_KEY_AGREEMENT
DCO, S1SP = KeyPurpose.DCO_SMETS1, KeyPurpose.S1SP_SMETS1


METHODS = [
    (SUPPLIER, ContentKind.PRE_COMMAND),
    (KeyPurpose.COS_PARTY_COMMAND, ContentKind.COMMAND),
    (ISSUING, ContentKind.CERTIFICATE),
    (ISSUING, ContentKind.CERTIFICATE_REVOCATION_LIST),
    (SUPPLIER, ContentKind.CERTIFICATE_SIGNING_REQUEST),
    (MAC, ContentKind.COMMAND_BEFORE_MAC),
    (AGREEMENT, ContentKind.PROTECTED_RESPONSE),
    (AGREEMENT, ContentKind.ENCRYPTED_RESPONSE),
    (KeyPurpose.SUPPLIER_PREPAYMENT, ContentKind.PREPAYMENT_TOP_UP),
    (KeyPurpose.USER_XML, ContentKind.SERVICE_REQUEST),
    (DCO, ContentKind.SMETS1_INSTRUCTION),
    (DCO, ContentKind.SMETS1_RESPONSE),
    (KeyPurpose.SMETS1_TLS, ContentKind.TLS_HANDSHAKE),
]
"""Every RPC."""
