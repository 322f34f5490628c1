"""Which rules can be judged once more from records alone, and what do the others need that records do not hold? Pure.

Records hold what a key was used for and the key's life; they do not hold whom the caller table of that day listed, the
chain behind a key, nor what revocation lists said. A rule that needs one of these is judged where it is at hand
(``rejudging.Grounds``), and is otherwise counted as not judged, by name: it is never taken to have passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from keybroker.terms import RuleName


class Need(StrEnum):
    """What a rule looks at beside the octets, the record, the policy and the key's life as records tell it."""

    POLICY = "policy"
    """The policy file by whose digest the intent was judged."""
    CALLER = "caller"
    """The caller table of the configuration that was in force."""
    CERTIFICATE = "certificate"
    """The chain that was enrolled for the key, up to an anchor; known to be none where none was ever enrolled."""
    EUI = "eui"
    """Whom the key speaks for: told by the record that ordered it, or else by its certificate."""
    LISTS = "lists"
    """The revocation lists that were held: the ledger keeps the current ones alone."""
    LIFE = "life"
    """Every act on the key from the first on: a selection of records may not hold them."""
    EVIDENCE = "evidence"
    """Other keys of the register, a session's facts, or statements as they were held together."""


_BY_NEED: Mapping[Need, tuple[str, ...]] = {
    Need.CALLER: (
        "caller-entitled-to-key",
        "caller-entitled-to-operation",
        "caller-speaks-for-originator",
        "caller-speaks-for-request-originator",
        "caller-speaks-for-top-up",
        "caller-answers-to-recipient",
        "user-role-eligible",
    ),
    Need.CERTIFICATE: (
        "anchor-for-deployment",
        "certificate-authority-key-identifier",
        "certificate-issuer-is-signing-key",
        "certificate-within-issuers-validity",
        "key-certificate-not-revoked",
        "key-certificate-present",
        "key-certificate-role-for-purpose",
        "key-certificate-valid-now",
        "key-eui-is-certificates-eui",
        "key-usage-for-purpose",
        "message-code-signer-role",
        "request-originator-is-keys-eui",
        "revocation-list-authority-is-the-key",
        "revocation-list-issuer-is-keys-subject",
    ),
    Need.EUI: (
        "access-control-broker-is-originator",
        "answer-is-for-keys-eui",
        "originator-is-keys-eui",
        "request-eui-is-keys-eui",
        "smets1-key-has-system-title",
        "smets1-not-our-system-title",
        "top-up-originator-is-keys-eui",
    ),
    Need.LISTS: (
        "change-of-supplier-for-its-originator",
        "change-of-supplier-signed-by-supplier",
        "device-certificate-relied-on",
        "key-certificate-not-on-a-revocation-list",
        "originator-certificate-relied-on",
        "service-request-signature",
        "signed-pre-command-signature",
        "supplementary-certificate-relied-on",
    ),
    Need.EVIDENCE: (
        "gbcs-role-for-gbcs-purposes",
        "smets1-device-is-keys-device",
        "smets1-module-demand",
        "smets1-session-lasts",
    ),
}

NEEDS: Mapping[RuleName, Need] = {RuleName(name): need for need, names in _BY_NEED.items() for name in names}
"""By rule; one that is not here needs nothing but octets, record, policy and the key's life."""
