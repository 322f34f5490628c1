"""What does a key's request for its certificate say? A CertificationRequestInfo from register and policy alone.

RFC 2986 section 4.1; handbook 3.4: subject [CN], OU (the role) and x500UniqueIdentifier (the EUI-64) of an
organisation, OU and CN of an authority; extensionRequest with the one key usage of the key's purpose, critical.
"""

from __future__ import annotations

from keybroker.client.certificates import Authority, Organisation, certification_request_info
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.terms import KeyUsage, RemotePartyRole

_POINT_OCTETS = 65
_AUTHORITIES = frozenset({RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY})


class SubjectUnclear(Exception):
    """Register and policy do not say whom the certificate will name; ``option`` would."""

    def __init__(self, sentence: str, *, option: str) -> None:
        super().__init__(sentence)
        self.option = option


def request_info(
    key: RegisteredKey, policy: Policy, *, role: RemotePartyRole | None = None, common_name: str | None = None
) -> bytes:
    """The octets that the key is to sign, in DER. Raises: SubjectUnclear."""
    if len(key.public_key) != _POINT_OCTETS:
        raise SubjectUnclear(
            "expected a key with a public half, found a symmetric one: it has no certificate", option="KEY"
        )
    subject = _subject(key, _role(key, policy, role), common_name)
    # A key whose purpose names no usage signs (TLS, Contingency).
    usage = KeyUsage.DIGITAL_SIGNATURE if policy.key_usage is KeyUsage.NONE else policy.key_usage
    return certification_request_info(key.public_key, subject, usage)


def _role(key: RegisteredKey, policy: Policy, role: RemotePartyRole | None) -> RemotePartyRole | None:
    known = key.certificate.role if key.certificate is not None else role
    if known is not None and known not in policy.roles:
        raise SubjectUnclear(f"expected one of {_units(policy)}, found {known.ou}", option="--role")
    if known is None and len(policy.roles) > 1:
        raise SubjectUnclear(f"expected one of {_units(policy)}, found none", option="--role")
    return known or next(iter(policy.roles), None)


def _units(policy: Policy) -> str:
    return ", ".join(f"{role.ou} ({role.name.lower().replace('_', ' ')})" for role in sorted(policy.roles)) or "none"


def _subject(key: RegisteredKey, role: RemotePartyRole | None, common_name: str | None) -> Organisation | Authority:
    if role is None or role in _AUTHORITIES:
        if not common_name:
            raise SubjectUnclear("expected a common name, by which alone this key is named", option="--common-name")
        return Authority(role=role, common_name=common_name)
    if key.eui is None:
        raise SubjectUnclear("expected a key that was ordered for an EUI (--eui), found one without", option="KEY")
    return Organisation(role=role, eui=key.eui, common_name=common_name)
