"""May this key sign now, in this deployment? SEC G2.20(b), G2.57, G5.13, G5.24, G3.29."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from keybroker.content.contents import Content
from keybroker.policy.claim import Allocated, Claim
from keybroker.policy.model import CertificateFacts, Policy, RegisteredKey, Situation
from keybroker.policy.published_test_keys import is_published_test_key
from keybroker.policy.rule import Rule
from keybroker.policy.trust import RevocationList
from keybroker.terms import (
    ContentKind,
    DeploymentKind,
    Finding,
    KeyAlgorithm,
    KeyState,
    KeyUsage,
    Provenance,
    RuleName,
)

# SEC G5.24: "procedures in relation to the secure management of all Secret Key Material of the User, which shall in
# particular make provision for: (a) the security of that Secret Key Material throughout the whole of its lifecycle
# from its generation to its destruction". G5.13(a) says the same of the DCC.
KEY_STATE_ACTIVE = Rule(
    name=RuleName("key-state-active"),
    clause="G5.13(a), G5.24(a)",
    remedy="ask the operator to bring the key into use, or use its successor",
)


def key_state_active(content: Content, key: RegisteredKey, policy: Policy | None) -> Finding:
    """Of all the states of a key's life ``active`` alone is of use, ``enrolling`` to get a certificate, and
    ``combined`` where the gate ``split-key`` looks for the quorum."""
    states = _states(content.kind, policy)
    if key.state in states:
        return KEY_STATE_ACTIVE.passed
    return KEY_STATE_ACTIVE.refused(expected=" or ".join(states), found=key.state)


def _states(kind: ContentKind, policy: Policy | None) -> tuple[KeyState, ...]:
    # A Key Agreement key signs nothing once it has its certificate: its one request is signed on the way there.
    if kind is ContentKind.CERTIFICATE_SIGNING_REQUEST:
        agrees = policy is None or policy.algorithm is not KeyAlgorithm.ECDSA
        if agrees:
            return (KeyState.ENROLLING,)
        # One that came from another system proves by it that it is here, before it may be used (G2.22I).
        return (KeyState.ENROLLING, KeyState.ACTIVE, KeyState.INSTALLED, *_combined(policy))
    if kind is ContentKind.ROOT_CERTIFICATE:
        return (KeyState.ENROLLING,)
    return (KeyState.ACTIVE, *_combined(policy))


def _combined(policy: Policy | None) -> tuple[KeyState, ...]:
    """SEC G2.44B: a key in parts is used while a quorum holds it together, in its ceremony's session."""
    splits = policy is not None and any(gate.gate == "split-key" for gate in policy.gates)
    return (KeyState.COMBINED,) if splits else ()


def _leads_to_a_certificate(content: Content) -> bool:
    """A key that is only about to be certified has no certificate yet, or has another than it will."""
    return content.kind in (ContentKind.CERTIFICATE_SIGNING_REQUEST, ContentKind.ROOT_CERTIFICATE)


# SEC G2.57: "the Private Key associated with the Public Key contained within that Organisation Certificate". A Command
# signing key is known to Devices by its Organisation Certificate; only the Contingency key (and the broker's own
# checkpoint key, which no Device knows) is bound by its public key alone.
KEY_CERTIFICATE_PRESENT = Rule(
    name=RuleName("key-certificate-present"),
    clause="G2.57",
    remedy="ask the operator to enrol the key's certificate",
)


def key_certificate_present(content: Content, key: RegisteredKey, policy: Policy) -> Finding:
    """The register holds a certificate for the key, where the purpose binds keys by certificate."""
    if policy.binding != "certificate-role" or _leads_to_a_certificate(content):
        return KEY_CERTIFICATE_PRESENT.not_applicable
    if key.certificate is not None:
        return KEY_CERTIFICATE_PRESENT.passed
    return KEY_CERTIFICATE_PRESENT.refused(expected="an enrolled certificate", found="none")


# SEC G2.57: "an Organisation Certificate that has a Remote Party Role that is specified in the GB Companion
# Specification".
KEY_CERTIFICATE_ROLE_FOR_PURPOSE = Rule(
    name=RuleName("key-certificate-role-for-purpose"),
    clause="G2.57",
    remedy="enrol a certificate with the Remote Party Role of the key's purpose",
)


def key_certificate_role_for_purpose(certificate: CertificateFacts, policy: Policy) -> Finding:
    """The Remote Party Role in the certificate's OU is one that the purpose names."""
    if policy.binding == "public-key":
        return KEY_CERTIFICATE_ROLE_FOR_PURPOSE.not_applicable
    if certificate.role in policy.roles:
        return KEY_CERTIFICATE_ROLE_FOR_PURPOSE.passed
    return KEY_CERTIFICATE_ROLE_FOR_PURPOSE.refused(
        expected="OU " + " or ".join(role.ou for role in sorted(policy.roles)), found=f"OU {certificate.role.ou}"
    )


# GBCS Grouping Header: the originator is named by the Entity Identifier that its certificate carries
# (x500UniqueIdentifier); a register that says otherwise has been altered.
KEY_EUI_IS_CERTIFICATES_EUI = Rule(
    name=RuleName("key-eui-is-certificates-eui"),
    clause="GBCS Grouping Header",
    remedy="have the operator enrol the certificate again",
)


def key_eui_is_certificates_eui(key: RegisteredKey, certificate: CertificateFacts) -> Finding:
    """The EUI in the register is the one in the certificate."""
    if key.eui == certificate.eui:
        return KEY_EUI_IS_CERTIFICATES_EUI.passed
    return KEY_EUI_IS_CERTIFICATES_EUI.refused(
        expected=str(certificate.eui or "none, as of a CA"), found=str(key.eui or "none")
    )


# SEC G5.24: "(b) the manner in which that Secret Key Material will be registered, ordered, generated, labelled,
# distributed, installed, superseded and renewed". G5.13(b) says the same of the DCC. A certificate's dates say when.
KEY_CERTIFICATE_VALID_NOW = Rule(
    name=RuleName("key-certificate-valid-now"),
    clause="G5.13(b), G5.24(b)",
    remedy="renew the certificate, or wait until it begins",
)


def key_certificate_valid_now(certificate: CertificateFacts, situation: Situation) -> Finding:
    """``at`` lies within the certificate's validity, both ends included (RFC 5280 section 4.1.2.5)."""
    if certificate.not_before <= situation.at <= certificate.not_after:
        return KEY_CERTIFICATE_VALID_NOW.passed
    return KEY_CERTIFICATE_VALID_NOW.refused(
        expected=f"a moment from {certificate.not_before.isoformat()} to {certificate.not_after.isoformat()}",
        found=situation.at.isoformat(),
    )


# SEC G5.13(a) and G5.24(a): "the security of that Secret Key Material throughout the whole of its lifecycle from its
# generation to its destruction". A revoked certificate says that its key is no longer to be relied on.
KEY_CERTIFICATE_NOT_REVOKED = Rule(
    name=RuleName("key-certificate-not-revoked"),
    clause="G5.13(a), G5.24(a)",
    remedy="use the key's successor; a revocation is not undone",
)


def key_certificate_not_revoked(certificate: CertificateFacts) -> Finding:
    """The register knows of no revocation. One dated in the future refuses already: it is known."""
    if certificate.revoked_at is None:
        return KEY_CERTIFICATE_NOT_REVOKED.passed
    return KEY_CERTIFICATE_NOT_REVOKED.refused(
        expected="no revocation", found=f"revoked at {certificate.revoked_at.isoformat()}"
    )


# SEC G3.29(a) and G2.56(a): "creating Digital Signatures". The certificate's key usage says that the key is for that,
# and not for key agreement.
KEY_USAGE_FOR_PURPOSE = Rule(
    name=RuleName("key-usage-for-purpose"),
    clause="G2.56(a), G3.29(a)",
    remedy="use the key that is certified for this: a Key Agreement key signs nothing, another agrees none",
)


def key_usage_for_purpose(certificate: CertificateFacts, policy: Policy) -> Finding:
    """The certificate's key usage is the one of the purpose."""
    if policy.key_usage in (certificate.usage, KeyUsage.NONE):
        return KEY_USAGE_FOR_PURPOSE.passed
    return KEY_USAGE_FOR_PURPOSE.refused(expected=policy.key_usage, found=certificate.usage)


# SEC G5.13(a) and G5.24(a), as above: what an authority has revoked is found in its current list, and where there is
# no current list nobody knows. RFC 5280 section 6.3: the list of every CA in the chain, the anchor's own included.
KEY_CERTIFICATE_NOT_ON_A_REVOCATION_LIST = Rule(
    name=RuleName("key-certificate-not-on-a-revocation-list"),
    clause="G5.13(a), G5.24(a)",
    remedy="have the operator take in the current ARL and CRL; a certificate that stands on one is not used again",
)


def key_certificate_not_on_a_revocation_list(certificate: CertificateFacts, situation: Situation) -> Finding:
    """Every CA in the key's chain has a current revocation list, and none of them lists what it issued."""
    found = why_not_relied_on(certificate, situation.trust.lists, situation.at)
    if not found:
        return KEY_CERTIFICATE_NOT_ON_A_REVOCATION_LIST.passed
    return KEY_CERTIFICATE_NOT_ON_A_REVOCATION_LIST.refused(
        expected="a chain on current revocation lists of nobody", found=found
    )


def why_not_relied_on(certificate: CertificateFacts, lists: Mapping[bytes, RevocationList], at: datetime) -> str:
    """Why a chain cannot be relied on by its revocation lists; empty where it can."""
    for serial, issuer in zip(certificate.serials, certificate.issuers, strict=True):
        held = lists.get(issuer)
        if held is None:
            return f"no revocation list of the issuer {issuer.hex()[:16]}"
        if not held.this_update <= at <= held.next_update:
            return f"a revocation list for {_span(held.this_update, held.next_update)}, not for {at.isoformat()}"
        if serial in held.revoked:
            return f"serial {serial:x} revoked at {held.revoked[serial].isoformat()}"
    return ""


def _span(begin: datetime, end: datetime) -> str:
    return f"{begin.isoformat()} to {end.isoformat()}"


# SEC G2.20: "(b) the DCC IT Testing and Training Systems and DCC IT Supporting Systems are Separated from the DCC Live
# Systems". So test trusts test alone, and live never.
ANCHOR_FOR_DEPLOYMENT = Rule(
    name=RuleName("anchor-for-deployment"),
    clause="G2.20(b)",
    remedy="use a key certified for this kind of deployment",
)


def anchor_for_deployment(certificate: CertificateFacts, situation: Situation) -> Finding:
    """The certificate's anchor is listed as test in a test deployment, and is not in a live one."""
    if certificate.test_anchor is (situation.deployment is DeploymentKind.TEST):
        return ANCHOR_FOR_DEPLOYMENT.passed
    return ANCHOR_FOR_DEPLOYMENT.refused(
        expected=f"an anchor for a {situation.deployment} deployment",
        found="a test anchor" if certificate.test_anchor else "a live anchor",
    )


# SEC G5.13(a) and G5.24(a): "the security of that Secret Key Material throughout the whole of its lifecycle from its
# generation to its destruction". A private key that was published, or brought in from outside for a test, has none.
NOT_A_PUBLISHED_TEST_KEY = Rule(
    name=RuleName("not-a-published-test-key"),
    clause="G5.13(a), G5.24(a)",
    remedy="generate the key in the module",
)


def not_a_published_test_key(key: RegisteredKey, situation: Situation) -> Finding:
    """In a live deployment the key is neither one of the published test keys nor imported for a test."""
    if situation.deployment is DeploymentKind.TEST:
        return NOT_A_PUBLISHED_TEST_KEY.not_applicable
    if key.provenance is Provenance.IMPORTED_TEST_KEY:
        return NOT_A_PUBLISHED_TEST_KEY.refused(expected="a key generated in a module", found="an imported test key")
    if is_published_test_key(key.public_key):
        return NOT_A_PUBLISHED_TEST_KEY.refused(expected="a key nobody else holds", found="a published test key")
    return NOT_A_PUBLISHED_TEST_KEY.passed


# SEC G5.13(a) and G5.24(a): "throughout the whole of its lifecycle from its generation to its destruction". How long a
# key of a purpose is used is the key management procedures' to say: the policy has it, where they do.
KEY_CRYPTOPERIOD = Rule(
    name=RuleName("key-cryptoperiod"),
    clause="G5.13(a), G5.24(a)",
    remedy="renew the key (keybroker keys renew), and use its successor",
)


def key_cryptoperiod(key: RegisteredKey, policy: Policy, situation: Situation) -> Finding:
    """``at`` lies before the end of the key's cryptoperiod, which runs from its activation (the end is excluded)."""
    days = None if policy.settings.life is None else policy.settings.life.cryptoperiod_days
    if days is None:
        return KEY_CRYPTOPERIOD.not_applicable
    end = cryptoperiod_end(key, policy)
    if end is None and key.state in (KeyState.GENERATED, KeyState.ENROLLING):
        # It asks for its certificate, and has yet to come into use.
        return KEY_CRYPTOPERIOD.not_applicable
    if end is not None and situation.at < end:
        return KEY_CRYPTOPERIOD.passed
    return KEY_CRYPTOPERIOD.refused(
        expected=f"a moment within {days} days of the key's activation",
        found="no activation on record" if end is None else f"the end at {end.isoformat()}",
    )


def cryptoperiod_end(key: RegisteredKey, policy: Policy) -> datetime | None:
    """When the key's cryptoperiod ends; None where it has none, or was never activated."""
    life = policy.settings.life
    if life is None or life.cryptoperiod_days is None or key.activated_at is None:
        return None
    return key.activated_at + timedelta(days=life.cryptoperiod_days)


# SEC G5.13(a) and G5.24(a), as above, by how often it was used: every intent counts, whatever became of it, in the
# transaction that writes it.
KEY_USAGE_LIMIT = Rule(
    name=RuleName("key-usage-limit"),
    clause="G5.13(a), G5.24(a)",
    remedy="renew the key (keybroker keys renew), and use its successor",
)
_USES = "key-uses"


def key_usage_limit(key: RegisteredKey, policy: Policy) -> Finding:
    """The system it came from has left some of its uses. How often it is used here the ledger counts (``claims``)."""
    life = policy.settings.life
    if life is None or life.uses is None:
        return KEY_USAGE_LIMIT.not_applicable
    if key.uses_before < life.uses:
        return KEY_USAGE_LIMIT.passed_with(f"{life.uses} uses at most")
    return KEY_USAGE_LIMIT.refused(expected=f"{life.uses} uses at most", found=f"{key.uses_before} where it came from")


def limits_uses(policy: Policy) -> bool:
    """Is every use under it one of so many?"""
    life = policy.settings.life
    return life is not None and life.uses is not None


def usage_claims(key: RegisteredKey, policy: Policy) -> tuple[Claim, ...]:
    """One of the key's uses, where the policy limits them: those by the system it came from count too."""
    life = policy.settings.life
    if life is None or life.uses is None:
        return ()
    return (
        Allocated(
            rule=KEY_USAGE_LIMIT.name,
            clause=KEY_USAGE_LIMIT.clause,
            scope=_USES,
            name=key.label.encode(),
            told=f"the uses of key {key.label}",
            first=key.uses_before + 1,
            last=life.uses,
            carried=False,
            remedy=KEY_USAGE_LIMIT.remedy,
        ),
    )
