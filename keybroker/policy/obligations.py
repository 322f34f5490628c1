"""What does the clause of a purpose fix, so that no policy file may say otherwise?

SEC G2.22G-G2.22I, G2.44, G2.44B, G2.45, G2.56 (the DCC); G3.22, G3.23, G3.29 (Users).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from keybroker.terms import (
    CallerKind,
    ContentKind,
    Export,
    KeyAlgorithm,
    KeyPurpose,
    KeyUsage,
    Operation,
    RemotePartyRole,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What the clause fixes for every policy of a purpose: subsets where it says "only", equality elsewhere.

    ``gates`` are the least that the policy must name; ``use_clause`` is what its own must begin with; ``roles`` are
    those of which the policy names at least one, empty where no certificate names a role; ``commands`` says that the
    purpose is for GBCS messages, so that its policy lists Message Codes; ``settings`` are the tables that it has.
    """

    use_clause: str
    content_kinds: frozenset[ContentKind]
    operations: frozenset[Operation]
    caller_kinds: frozenset[CallerKind]
    module: str
    gates: frozenset[str]
    export: Export
    location: str = "not-restricted"
    binding: str = "certificate-role"
    roles: frozenset[RemotePartyRole] = frozenset()
    algorithm: KeyAlgorithm = KeyAlgorithm.ECDSA
    key_usage: KeyUsage = KeyUsage.DIGITAL_SIGNATURE
    commands: bool = False
    settings: frozenset[str] = frozenset()


_REQUEST = ContentKind.CERTIFICATE_SIGNING_REQUEST
_SIGN_REQUEST = Operation.SIGN_CERTIFICATE_SIGNING_REQUEST
_LEVEL_3, _SCHEME = "fips-level-3", "information-classification-scheme"
# SEC G1.3: the standard that G2.44 names is dated data, so every purpose that demands Level 3 has its table.
_DATED = frozenset({"module_validation"})
_VALIDATED = frozenset({"key-served", "validated-module"})
_CLASSIFIED = frozenset({"key-served", "information-classification-module"})
_USER, _DCC = frozenset({CallerKind.USER_SYSTEM}), frozenset({CallerKind.DCC_SERVICE})


# SEC G3.29: a User's Command signing key is "used only for the purposes of: (a) creating Digital Signatures that form
# part of Commands that are to be sent to SMETS2+ Devices; or (b) Digitally Signing Certificate Signing Requests."
# G3.22: "Each User shall ensure that it carries out Cryptographic Processing only within Cryptographic Modules
# established in accordance with its Information Classification Scheme." G3.23: the module "in which: (i) any Private
# Key that is used to Digitally Sign Pre-Commands is held [...] is located [...] in the United Kingdom". No clause lets
# a User move such a key.
def _user(role: RemotePartyRole) -> Obligation:
    return Obligation(
        use_clause="G3.29",
        roles=frozenset({role}),
        content_kinds=frozenset({ContentKind.PRE_COMMAND, _REQUEST}),
        operations=frozenset({Operation.SIGN_PRE_COMMAND, _SIGN_REQUEST}),
        caller_kinds=_USER,
        module=_SCHEME,
        location="united-kingdom",
        gates=_CLASSIFIED | {"uk-location", "supply-sensitive-check", "anomaly-threshold"},
        export=Export.NEVER,
        commands=True,
        settings=frozenset({"supply_sensitive_check"}),
    )


# SEC G2.56: as G3.29, for "any Private Key that [the DCC] uses or intends to use to create a Digital Signature that
# forms part of a Command". G2.44(f): use of such a key "is carried out within Cryptographic Modules which are compliant
# with FIPS 140-2 Level 3". G2.22G: "the DCC may, subject to the requirements of Section G2.22I, securely transfer
# Secret Key Material": so DCC keys can leave their module, wrapped.
def _dcc(role: RemotePartyRole | None, *further_gates: str) -> Obligation:
    return Obligation(
        use_clause="G2.56",
        binding="public-key" if role is None else "certificate-role",
        roles=frozenset() if role is None else frozenset({role}),
        key_usage=KeyUsage.NONE if role is None else KeyUsage.DIGITAL_SIGNATURE,
        content_kinds=frozenset({ContentKind.COMMAND, _REQUEST}),
        operations=frozenset({Operation.SIGN_COMMAND, _SIGN_REQUEST}),
        caller_kinds=_DCC,
        module=_LEVEL_3,
        gates=_VALIDATED | {"anomaly-threshold", *further_gates},
        export=Export.WRAPPED,
        commands=True,
        settings=_DATED,
    )


# SEC G2.45: "any and all Cryptographic Processing undertaken under or pursuant to this Code which does not fall within
# the scope of Section G2.44 is carried out within Cryptographic Modules established in accordance with its Information
# Classification Scheme."
_AUDIT = Obligation(
    use_clause="G2.45",
    binding="public-key",
    key_usage=KeyUsage.NONE,
    content_kinds=frozenset({ContentKind.AUDIT_CHECKPOINT}),
    operations=frozenset({Operation.SIGN_CHECKPOINT}),
    caller_kinds=frozenset({CallerKind.BROKER}),
    module=_SCHEME,
    gates=_CLASSIFIED,
    export=Export.NEVER,
)


# SEC G2.60 and G2.61: a Root OCA Private Key "is used only for the purposes of: (a) Digitally Signing an OCA
# Certificate; (b) Digitally Signing a Certificate Signing Request; or (c) Digitally Signing the Organisation ARL", an
# Issuing OCA's of the same for "an Organisation Certificate" and "the Organisation CRL". Neither falls within G2.44, so
# G2.45 says which module.
def _oca(clause: str, role: RemotePartyRole, *further: ContentKind) -> Obligation:
    operations = {Operation.SIGN_CERTIFICATE, Operation.SIGN_REVOCATION_LIST, _SIGN_REQUEST}
    ceremony = {Operation.SIGN_ROOT_CERTIFICATE} if further else set()
    return Obligation(
        use_clause=clause,
        roles=frozenset({role}),
        key_usage=KeyUsage.CERTIFICATE_SIGNING,
        content_kinds=frozenset({ContentKind.CERTIFICATE, ContentKind.CERTIFICATE_REVOCATION_LIST, _REQUEST, *further}),
        operations=frozenset(operations | ceremony),
        caller_kinds=_DCC | ({CallerKind.OPERATOR} if further else set()),
        module=_SCHEME,
        gates=_CLASSIFIED,
        export=Export.WRAPPED,
        settings=frozenset({"certificates", "revocation_lists"} | (set() if further else {"ecos"})),
    )


# SEC G2.44(b): what "results in the application of a Message Authentication Code to any message in order to create a
# Command to be sent to a SMETS2+ Device". The same key reads what Devices answer the Access Control Broker.
_COMMAND_MAC = Obligation(
    use_clause="G2.44(b)",
    roles=frozenset({RemotePartyRole.ACCESS_CONTROL_BROKER}),
    algorithm=KeyAlgorithm.ECDH,
    key_usage=KeyUsage.KEY_AGREEMENT,
    content_kinds=frozenset(
        {ContentKind.COMMAND_BEFORE_MAC, ContentKind.PROTECTED_RESPONSE, ContentKind.ENCRYPTED_RESPONSE, _REQUEST}
    ),
    operations=frozenset(
        {Operation.APPLY_COMMAND_MAC, Operation.CHECK_RESPONSE_MAC, Operation.DECRYPT_RESPONSE, _SIGN_REQUEST}
    ),
    caller_kinds=_DCC,
    module=_LEVEL_3,
    gates=_VALIDATED | {"anomaly-threshold"},
    export=Export.WRAPPED,
    settings=_DATED,
)

# What a User needs of its Key Agreement keys, beyond the clauses: G3.22 says which module.
_USER_KEY_AGREEMENT = Obligation(
    use_clause="G3.22",
    roles=frozenset({RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR, RemotePartyRole.LOAD_CONTROLLER}),
    algorithm=KeyAlgorithm.ECDH,
    key_usage=KeyUsage.KEY_AGREEMENT,
    content_kinds=frozenset({ContentKind.PROTECTED_RESPONSE, ContentKind.ENCRYPTED_RESPONSE, _REQUEST}),
    operations=frozenset({Operation.CHECK_RESPONSE_MAC, Operation.DECRYPT_RESPONSE, _SIGN_REQUEST}),
    caller_kinds=_USER,
    module=_SCHEME,
    gates=_CLASSIFIED,
    export=Export.NEVER,
)
_PREPAYMENT = Obligation(
    use_clause="G3.22",
    roles=frozenset({RemotePartyRole.SUPPLIER}),
    algorithm=KeyAlgorithm.ECDH,
    key_usage=KeyUsage.KEY_AGREEMENT,
    content_kinds=frozenset({ContentKind.PREPAYMENT_TOP_UP, _REQUEST}),
    operations=frozenset({Operation.MAKE_PREPAYMENT_TOKEN, _SIGN_REQUEST}),
    caller_kinds=_USER,
    module=_SCHEME,
    gates=_CLASSIFIED,
    export=Export.NEVER,
    settings=frozenset({"prepayment"}),
)

_NOT_GBCS_ROLES = frozenset({RemotePartyRole.OTHER, RemotePartyRole.XML_SIGN, RemotePartyRole.DSP_XML_SIGN})


# G3.22 for Users; G3.23(a)(iii): "the functionality [...] for Digitally Signing critical SMETS1 Service Requests" is in
# the United Kingdom. G2.45 for the DCC's own. G2.44(a): the CoS Party's keys, all of them, need Level 3.
def _xml(clause: str, roles: frozenset[RemotePartyRole], **changes: Any) -> Obligation:
    own = Obligation(
        use_clause=clause,
        roles=roles,
        content_kinds=frozenset({ContentKind.SERVICE_REQUEST, _REQUEST}),
        operations=frozenset({Operation.SIGN_SERVICE_REQUEST, _SIGN_REQUEST}),
        caller_kinds=_DCC,
        module=_SCHEME,
        gates=_CLASSIFIED,
        export=Export.WRAPPED,
    )
    return replace(own, **changes)


# SEC G2.44(c): what "is carried out by a DCO and involves the use [of] a SMETS1 Symmetric Key"; (e): a SMETS1 Service
# Provider's, "other than in any of the circumstances set out in Section G2.44A", which the rules look at.
def _smets1(clause: str) -> Obligation:
    return Obligation(
        use_clause=clause,
        binding="none",
        algorithm=KeyAlgorithm.AES_GCM,
        key_usage=KeyUsage.NONE,
        content_kinds=frozenset({ContentKind.SMETS1_INSTRUCTION, ContentKind.SMETS1_RESPONSE}),
        operations=frozenset({Operation.PROTECT_SMETS1_INSTRUCTION, Operation.OPEN_SMETS1_RESPONSE}),
        caller_kinds=_DCC,
        module=_LEVEL_3,
        gates=_VALIDATED,
        export=Export.WRAPPED,
        settings=_DATED | {"smets1"},
    )


# SEC G2.44(d): "the use of a DCC Private Key to establish any Transport Layer Security for the purposes of
# communicating with a SMETS1 Device"; (a) for the CoS Party's own. No Organisation Certificate names such a key.
def _tls(clause: str) -> Obligation:
    return Obligation(
        use_clause=clause,
        binding="public-key",
        key_usage=KeyUsage.NONE,
        content_kinds=frozenset({ContentKind.TLS_HANDSHAKE, _REQUEST}),
        operations=frozenset({Operation.SIGN_TLS_HANDSHAKE, _SIGN_REQUEST}),
        caller_kinds=_DCC,
        module=_LEVEL_3,
        gates=_VALIDATED,
        export=Export.WRAPPED,
        settings=_DATED,
    )


# The L10 Symmetric Key that wraps the Contingency Public Key in the Root OCA Certificate: Secret Key Material (G5.13)
# that no request reaches; a ceremony alone uses it.
_CONTINGENCY_SYMMETRIC = Obligation(
    use_clause="G2.45",
    binding="none",
    algorithm=KeyAlgorithm.AES_GCM,
    key_usage=KeyUsage.NONE,
    content_kinds=frozenset(),
    operations=frozenset(),
    caller_kinds=frozenset(),
    module=_SCHEME,
    gates=_CLASSIFIED | {"pma-approval"},
    export=Export.WRAPPED,
)

# SEC G2.44B: "in relation to a Recovery Private Key, there is a period of time during which that Recovery Private Key
# is unusable for the purposes set out in G2.44 because of it being split into multiple parts"; and (b) the same of the
# Contingency Private Key. Hence split-key; and G2.22I(a), "the SMKI PMA has [...] approved both", hence pma-approval.
OBLIGATIONS: Mapping[KeyPurpose, Obligation] = {
    KeyPurpose.SUPPLIER_PRE_COMMAND: _user(RemotePartyRole.SUPPLIER),
    KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND: _user(RemotePartyRole.NETWORK_OPERATOR),
    KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND: _user(RemotePartyRole.LOAD_CONTROLLER),
    KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND: _dcc(RemotePartyRole.ACCESS_CONTROL_BROKER),
    KeyPurpose.COS_PARTY_COMMAND: _dcc(RemotePartyRole.TRANSITIONAL_COS),
    KeyPurpose.WAN_PROVIDER_COMMAND: _dcc(RemotePartyRole.WAN_PROVIDER),
    KeyPurpose.RECOVERY_COMMAND: _dcc(RemotePartyRole.RECOVERY, "pma-approval", "split-key"),
    KeyPurpose.CONTINGENCY_COMMAND: _dcc(None, "pma-approval", "split-key"),
    KeyPurpose.AUDIT_CHECKPOINT: _AUDIT,
    KeyPurpose.ROOT_OCA: _oca("G2.60", RemotePartyRole.ROOT, ContentKind.ROOT_CERTIFICATE),
    KeyPurpose.ISSUING_OCA: _oca("G2.61", RemotePartyRole.ISSUING_AUTHORITY),
    KeyPurpose.ACCESS_CONTROL_BROKER_MAC: _COMMAND_MAC,
    KeyPurpose.COS_PARTY_XML: _xml("G2.44(a)", _NOT_GBCS_ROLES, module=_LEVEL_3, gates=_VALIDATED, settings=_DATED),
    KeyPurpose.COS_PARTY_TLS: _tls("G2.44(a)"),
    KeyPurpose.USER_XML: _xml(
        "G3.22",
        frozenset({RemotePartyRole.XML_SIGN}),
        caller_kinds=_USER,
        location="united-kingdom",
        gates=_CLASSIFIED | {"uk-location", "supply-sensitive-check", "anomaly-threshold"},
        export=Export.NEVER,
        settings=frozenset({"service_requests", "supply_sensitive_check", "anomaly_thresholds"}),
    ),
    KeyPurpose.DSP_XML: _xml("G2.45", frozenset({RemotePartyRole.DSP_XML_SIGN})),
    KeyPurpose.DCO_SMETS1: _smets1("G2.44(c)"),
    # In the circumstances of G2.44A the use is outside G2.44, so that G2.45 says which module.
    KeyPurpose.S1SP_SMETS1: replace(_smets1("G2.44(e)"), gates=_VALIDATED | _CLASSIFIED),
    KeyPurpose.SMETS1_TLS: _tls("G2.44(d)"),
    KeyPurpose.USER_KEY_AGREEMENT: _USER_KEY_AGREEMENT,
    KeyPurpose.SUPPLIER_PREPAYMENT: _PREPAYMENT,
    KeyPurpose.CONTINGENCY_SYMMETRIC: _CONTINGENCY_SYMMETRIC,
}
"""Per purpose. No ``roles``: no certificate names the role of such a key."""

EVERY_PURPOSE = frozenset({"life"})
"""The tables that the policy of every purpose has, beside ``Obligation.settings``: the form of the file demands it."""

SPLIT_INTO_PARTS = frozenset(
    {KeyPurpose.RECOVERY_COMMAND, KeyPurpose.CONTINGENCY_COMMAND, KeyPurpose.CONTINGENCY_SYMMETRIC}
)
"""Whose keys are split (G2.44B); the Contingency Symmetric Key with the Contingency Private Key that it goes with."""
