"""Which keys does SEC G2.57 want replaced, and by when?

G2.57: where "(a) the DCC is the Subscriber for an Organisation Certificate that has a Remote Party Role that is
specified in the GB Companion Specification; and (b) the Private Key [...] is used for purposes that are not specified
or described in the GB Companion Specification, the DCC shall, where reasonably possible at the earliest opportunity but
in any event no later than the date of expiry of that Organisation Certificate, replace the Private Key".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keybroker.clause import clause
from keybroker.policy.model import KeyRegister, Policy, RegisteredKey
from keybroker.policy.settings import EcosSettings
from keybroker.terms import EntityIdentifier, KeyLabel, KeyPurpose, PartyName, RemotePartyRole

GBCS_ROLES = frozenset(role for role in RemotePartyRole if role <= RemotePartyRole.LOAD_CONTROLLER)
"""The Remote Party Roles of GBCS, 00 to 08 (handbook 3.1); the others are of Table 1 to Annex A of SEC Section L."""

GBCS_PURPOSES = frozenset(
    {
        KeyPurpose.SUPPLIER_PRE_COMMAND,
        KeyPurpose.NETWORK_OPERATOR_PRE_COMMAND,
        KeyPurpose.LOAD_CONTROLLER_PRE_COMMAND,
        KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
        KeyPurpose.COS_PARTY_COMMAND,
        KeyPurpose.WAN_PROVIDER_COMMAND,
        KeyPurpose.RECOVERY_COMMAND,
        KeyPurpose.CONTINGENCY_COMMAND,
        KeyPurpose.ROOT_OCA,
        KeyPurpose.ISSUING_OCA,
        KeyPurpose.ACCESS_CONTROL_BROKER_MAC,
        KeyPurpose.USER_KEY_AGREEMENT,
        KeyPurpose.SUPPLIER_PREPAYMENT,
    }
)
"""The purposes that GBCS describes. A new one is none of them before it stands here."""

_DCC_ROLES = frozenset(
    {
        RemotePartyRole.RECOVERY,
        RemotePartyRole.ACCESS_CONTROL_BROKER,
        RemotePartyRole.TRANSITIONAL_COS,
        RemotePartyRole.WAN_PROVIDER,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyToReplace:
    """A key of the DCC's, the role in its certificate, and the day by which its successor is in use.

    ``overdue``: that day has gone by.
    """

    label: KeyLabel
    party: PartyName
    purpose: KeyPurpose
    role: RemotePartyRole
    eui: EntityIdentifier | None
    at_the_latest: datetime
    overdue: bool


def is_of_the_dcc(eui: EntityIdentifier | None, role: RemotePartyRole, ecos: EcosSettings | None) -> bool:
    """Is the DCC the Subscriber of a certificate with this EUI and role? By its list of EUIs, or by roles that only it
    has (handbook 2.2, 3.1).
    """
    listed = ecos is not None and eui is not None and str(eui) in ecos.dcc_euis
    return listed or role in _DCC_ROLES


@clause("G2.57", "G2.58", "G2.59")
def keys_to_replace(
    register: KeyRegister, policies: Mapping[KeyPurpose, Policy], at: datetime
) -> tuple[KeyToReplace, ...]:
    """Every key that may be used, whose certificate has a GBCS role while its purpose is not of GBCS; by date."""
    ecos = policies[KeyPurpose.ISSUING_OCA].settings.ecos
    found = (_to_replace(key, ecos, at) for key in register.keys.values())
    return tuple(
        sorted((each for each in found if each is not None), key=lambda each: (each.at_the_latest, each.label))
    )


def _to_replace(key: RegisteredKey, ecos: EcosSettings | None, at: datetime) -> KeyToReplace | None:
    certificate = key.certificate
    if certificate is None or key.state.is_over or key.purpose in GBCS_PURPOSES:
        return None
    if certificate.role not in GBCS_ROLES or not is_of_the_dcc(certificate.eui, certificate.role, ecos):
        return None
    return KeyToReplace(
        label=key.label,
        party=key.party,
        purpose=key.purpose,
        role=certificate.role,
        eui=certificate.eui,
        at_the_latest=certificate.not_after,
        overdue=certificate.not_after < at,
    )
