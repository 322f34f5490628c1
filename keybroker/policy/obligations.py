"""What may no policy file say? The parts of a purpose about which the clause leaves no choice.

SEC G2.22G-G2.22I, G2.44, G2.44B, G2.45, G2.56 (the DCC); G3.22, G3.23, G3.29 (Users).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keybroker.policy.model import Policy
from keybroker.policy.rules.command import UNKNOWN_REMOTE_PARTY_GROUP
from keybroker.terms import CallerKind, ContentKind, Export, KeyPurpose, Operation, RemotePartyRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What the clause fixes for every policy of a purpose: subsets where it says "only", equality elsewhere.

    ``gates`` are the least that the policy must name; ``use_clause`` is what its own must begin with.
    """

    use_clause: str
    role: RemotePartyRole | None
    content_kinds: frozenset[ContentKind]
    operations: frozenset[Operation]
    caller_kinds: frozenset[CallerKind]
    module: str
    location: str
    gates: frozenset[str]
    export: Export


# SEC G3.29: a User's Command signing key is "used only for the purposes of: (a) creating Digital Signatures that form
# part of Commands that are to be sent to SMETS2+ Devices; or (b) Digitally Signing Certificate Signing Requests."
# G3.22: "Each User shall ensure that it carries out Cryptographic Processing only within Cryptographic Modules
# established in accordance with its Information Classification Scheme." G3.23: the module "in which: (i) any Private
# Key that is used to Digitally Sign Pre-Commands is held [...] is located [...] in the United Kingdom". No clause lets
# a User move such a key.
def _user(role: RemotePartyRole) -> Obligation:
    return Obligation(
        use_clause="G3.29",
        role=role,
        content_kinds=frozenset({ContentKind.PRE_COMMAND, ContentKind.CERTIFICATE_SIGNING_REQUEST}),
        operations=frozenset({Operation.SIGN_PRE_COMMAND}),
        caller_kinds=frozenset({CallerKind.USER_SYSTEM}),
        module="information-classification-scheme",
        location="united-kingdom",
        gates=frozenset(
            {
                "key-served",
                "information-classification-module",
                "uk-location",
                "supply-sensitive-check",
                "anomaly-threshold",
            }
        ),
        export=Export.NEVER,
    )


# SEC G2.56: as G3.29, for "any Private Key that [the DCC] uses or intends to use to create a Digital Signature that
# forms part of a Command". G2.44(f): use of such a key "is carried out within Cryptographic Modules which are compliant
# with FIPS 140-2 Level 3". G2.22G: "the DCC may, subject to the requirements of Section G2.22I, securely transfer
# Secret Key Material": so DCC keys can leave their module, wrapped.
def _dcc(role: RemotePartyRole | None, *further_gates: str) -> Obligation:
    return Obligation(
        use_clause="G2.56",
        role=role,
        content_kinds=frozenset({ContentKind.COMMAND, ContentKind.CERTIFICATE_SIGNING_REQUEST}),
        operations=frozenset({Operation.SIGN_COMMAND}),
        caller_kinds=frozenset({CallerKind.DCC_SERVICE}),
        module="fips-level-3",
        location="not-restricted",
        gates=frozenset({"key-served", "validated-module", "anomaly-threshold", *further_gates}),
        export=Export.WRAPPED,
    )


# SEC G2.45: "any and all Cryptographic Processing undertaken under or pursuant to this Code which does not fall within
# the scope of Section G2.44 is carried out within Cryptographic Modules established in accordance with its Information
# Classification Scheme."
_AUDIT = Obligation(
    use_clause="G2.45",
    role=None,
    content_kinds=frozenset({ContentKind.AUDIT_CHECKPOINT}),
    operations=frozenset({Operation.SIGN_CHECKPOINT}),
    caller_kinds=frozenset({CallerKind.BROKER}),
    module="information-classification-scheme",
    location="not-restricted",
    gates=frozenset({"key-served", "information-classification-module"}),
    export=Export.NEVER,
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
}
"""Per purpose. ``role`` None: the key is bound by its public key alone, and no certificate names its role."""


def find_conflicts(policy: Policy) -> Iterator[str]:
    """One sentence for each thing in the policy that its purpose's clause does not leave to a file."""
    must = OBLIGATIONS[policy.purpose]
    roles = frozenset() if must.role is None else frozenset({must.role})
    missing = must.gates - {each.gate for each in policy.gates}
    wants_codes = policy.purpose is not KeyPurpose.AUDIT_CHECKPOINT
    another = any(group == UNKNOWN_REMOTE_PARTY_GROUP for group, _ in policy.message_code_groups)
    checks = (
        (policy.use_clause.startswith(must.use_clause), f"use_clause: expected {must.use_clause}"),
        (policy.use_clause in policy.clauses, "clauses: expected use_clause among them"),
        (
            policy.binding == ("certificate-role" if roles else "public-key"),
            "binding: expected the other for this purpose",
        ),
        (policy.roles == roles, f"roles: expected {sorted(role.ou for role in roles)}"),
        (policy.content_kinds <= must.content_kinds, f"content_kinds: {policy.use_clause} allows fewer"),
        (policy.operations <= must.operations, f"operations: {policy.use_clause} allows fewer"),
        (policy.caller_kinds <= must.caller_kinds, "caller_kinds: G2.25 and G3.14 allow fewer"),
        (policy.module.requirement == must.module, f"module.requirement: expected {must.module}"),
        (policy.location == must.location, f"location: expected {must.location}"),
        (not missing, f"gates: expected also {', '.join(sorted(missing))}"),
        (policy.export is must.export, f"export: expected {must.export}"),
        (bool(policy.message_codes) is wants_codes, "message_codes: expected some for Commands, none otherwise"),
        (
            not another or policy.purpose is KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
            f"message_codes.{UNKNOWN_REMOTE_PARTY_GROUP}: expected for the Access Control Broker alone",
        ),
    )
    return (sentence for holds, sentence in checks if not holds)
