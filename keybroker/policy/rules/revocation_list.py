"""May this OCA key sign this ARL or CRL? SEC G2.60(c), G2.61(c); RFC 5280 section 5.

What depends on lists and certificates signed before is claimed, and judged where they are written: that the CRLNumber
is greater than the last, that the list names certificates of the right kind alone, that no entry vanishes too soon.
"""

from __future__ import annotations

from datetime import timedelta

from keybroker.clause import clause
from keybroker.content.revocation_list import TbsCertList
from keybroker.policy.certificates import authority_identity
from keybroker.policy.claim import Claim, Increasing, Known, Succession
from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.terms import Finding, KeyPurpose, RuleName

CERTIFICATES = "certificate"
"""The scope under which the certificates of an issuer are taken: its identity and the serial number, 20 octets.

The value is one octet for the kind, and notAfter in seconds, 8 octets, big-endian.
"""
A_CA, AN_END_ENTITY = 0x01, 0x02

_SERIAL_OCTETS = 20

# SEC G2.60: a Root OCA Private Key is used for "(c) Digitally Signing the Organisation ARL"; G2.61: an Issuing OCA's
# for "(c) Digitally Signing the Organisation CRL". RFC 5280 section 5.1.2.3: "The issuer name identifies the entity
# that has signed and issued the CRL."
REVOCATION_LIST_ISSUER_IS_KEYS_SUBJECT = Rule(
    name=RuleName("revocation-list-issuer-is-keys-subject"),
    clause="G2.60(c), G2.61(c); RFC 5280 section 5.1.2.3",
    remedy="name as issuer the subject of the signing key's own certificate, in the same encoding",
)


def revocation_list_issuer_is_keys_subject(content: TbsCertList, key: RegisteredKey) -> Finding:
    """The list's issuer is, octet for octet, the subject of the signing key's certificate."""
    certificate = key.certificate
    if certificate is not None and content.issuer.der == certificate.subject:
        return REVOCATION_LIST_ISSUER_IS_KEYS_SUBJECT.passed
    return REVOCATION_LIST_ISSUER_IS_KEYS_SUBJECT.refused(
        expected="the subject of the key's own certificate",
        found=str(content.issuer),
        offset=content.issuer.offset,
    )


# SEC G2.60(c), G2.61(c), as above. RFC 5280 section 5.2.1: "The authority key identifier extension provides a means of
# identifying the public key corresponding to the private key used to sign a CRL."
REVOCATION_LIST_AUTHORITY_IS_THE_KEY = Rule(
    name=RuleName("revocation-list-authority-is-the-key"),
    clause="G2.60(c), G2.61(c); RFC 5280 section 5.2.1",
    remedy="give the subject key identifier of the signing key's certificate",
)


def revocation_list_authority_is_the_key(content: TbsCertList, key: RegisteredKey) -> Finding:
    """The list's authority key identifier is the subject key identifier of the signing key's certificate."""
    certificate = key.certificate
    expected = b"" if certificate is None else certificate.subject_key_identifier
    if certificate is not None and content.authority_key_identifier == expected:
        return REVOCATION_LIST_AUTHORITY_IS_THE_KEY.passed
    return REVOCATION_LIST_AUTHORITY_IS_THE_KEY.refused(
        expected=expected.hex() or "a certificate of the key", found=content.authority_key_identifier.hex()
    )


# SEC G2.60(c), G2.61(c), as above: the list that is signed is one of now. RFC 5280 section 5.1.2.4: "This field
# indicates the issue date of this CRL."
REVOCATION_LIST_BEGINS_NOW = Rule(
    name=RuleName("revocation-list-begins-now"),
    clause="G2.60(c), G2.61(c); RFC 5280 section 5.1.2.4",
    remedy="make the list when it is to be signed; check the clock of whoever makes it",
)


def revocation_list_begins_now(content: TbsCertList, policy: Policy, situation: Situation) -> Finding:
    """thisUpdate lies no further from the broker's clock than the policy says."""
    settings = policy.settings.revocation_lists
    if settings is None:
        return REVOCATION_LIST_BEGINS_NOW.refused(expected="a purpose that signs lists", found=policy.purpose)
    if abs(content.this_update - situation.at) <= timedelta(minutes=settings.this_update_within_minutes):
        return REVOCATION_LIST_BEGINS_NOW.passed
    return REVOCATION_LIST_BEGINS_NOW.refused(
        expected=f"thisUpdate within {settings.this_update_within_minutes} minutes of {situation.at.isoformat()}",
        found=content.this_update.isoformat(),
    )


# SEC G2.60(c), G2.61(c), as above: whoever relies on the list holds it to be current until nextUpdate, and hears of no
# revocation before. RFC 5280 section 5.1.2.5: "This field indicates the date by which the next CRL will be issued."
REVOCATION_LIST_ENDS_IN_TIME = Rule(
    name=RuleName("revocation-list-ends-in-time"),
    clause="G2.60(c), G2.61(c); RFC 5280 section 5.1.2.5",
    remedy="let the list end later than now, and no later than the cadence in the policy allows",
)


def revocation_list_ends_in_time(content: TbsCertList, policy: Policy, situation: Situation) -> Finding:
    """nextUpdate comes after thisUpdate and after now, and within the configured cadence."""
    settings = policy.settings.revocation_lists
    if settings is None:
        return REVOCATION_LIST_ENDS_IN_TIME.refused(expected="a purpose that signs lists", found=policy.purpose)
    latest = content.this_update + timedelta(hours=settings.longest_hours)
    if max(content.this_update, situation.at) < content.next_update <= latest:
        return REVOCATION_LIST_ENDS_IN_TIME.passed
    return REVOCATION_LIST_ENDS_IN_TIME.refused(
        expected=f"nextUpdate after now and at most {settings.longest_hours} hours after thisUpdate",
        found=content.next_update.isoformat(),
    )


# SEC G2.60(c), G2.61(c), as above: what is listed was revoked. RFC 5280 section 5.3.2: the invalidity date is that "on
# which it is known or suspected that the private key was compromised or that the certificate otherwise became invalid".
REVOCATIONS_HAVE_HAPPENED = Rule(
    name=RuleName("revocations-have-happened"),
    clause="G2.60(c), G2.61(c); RFC 5280 sections 5.1.2.6 and 5.3.2",
    remedy="list a certificate once it is revoked, with the moment at which it was",
)


def revocations_have_happened(content: TbsCertList, situation: Situation) -> Finding:
    """No revocation date and no invalidity date lies in the future."""
    for entry in content.revoked:
        moment = max(entry.revoked_at, entry.invalid_since or entry.revoked_at)
        if moment > situation.at:
            return REVOCATIONS_HAVE_HAPPENED.refused(
                expected=f"moments no later than {situation.at.isoformat()}",
                found=f"serial {entry.serial:x} at {moment.isoformat()}",
                offset=entry.offset,
            )
    return REVOCATIONS_HAVE_HAPPENED.passed


# SEC G2.60(c), G2.61(c), as above. RFC 5280 section 5.2.3: the CRLNumber is "a monotonically increasing sequence
# number": after the largest there is no other, so a leap to it would end an authority's lists.
REVOCATION_LIST_NUMBER_LEAVES_ROOM = Rule(
    name=RuleName("revocation-list-number-leaves-room"),
    clause="G2.60(c), G2.61(c); RFC 5280 section 5.2.3",
    remedy="number the lists from the last one on, or raise largest_number in the policy",
)


def revocation_list_number_leaves_room(content: TbsCertList, policy: Policy) -> Finding:
    """The CRLNumber is no larger than the policy says."""
    settings = policy.settings.revocation_lists
    if settings is not None and content.number <= settings.largest_number:
        return REVOCATION_LIST_NUMBER_LEAVES_ROOM.passed
    expected = "a purpose that signs lists" if settings is None else f"a CRLNumber of at most {settings.largest_number}"
    return REVOCATION_LIST_NUMBER_LEAVES_ROOM.refused(expected=expected, found=str(content.number))


RULES: tuple[Rule, ...] = (
    REVOCATION_LIST_ISSUER_IS_KEYS_SUBJECT,
    REVOCATION_LIST_AUTHORITY_IS_THE_KEY,
    REVOCATION_LIST_BEGINS_NOW,
    REVOCATION_LIST_ENDS_IN_TIME,
    REVOCATIONS_HAVE_HAPPENED,
    REVOCATION_LIST_NUMBER_LEAVES_ROOM,
)


def findings(content: TbsCertList, key: RegisteredKey, policy: Policy, situation: Situation) -> tuple[Finding, ...]:
    """Every rule of this kind of content, in order."""
    return (
        revocation_list_issuer_is_keys_subject(content, key),
        revocation_list_authority_is_the_key(content, key),
        revocation_list_begins_now(content, policy, situation),
        revocation_list_ends_in_time(content, policy, situation),
        revocations_have_happened(content, situation),
        revocation_list_number_leaves_room(content, policy),
    )


# RFC 5280 section 5.2.3: the CRLNumber is "a monotonically increasing sequence number for a given CRL scope and CRL
# issuer". G2.60(c) and G2.61(c): the ARL is the Root's and lists CAs, the CRL an Issuing OCA's and lists others.
# RFC 5280 section 3.3: "An entry MUST NOT be removed from the CRL until it appears on one regularly scheduled CRL
# issued beyond the revoked certificate's validity period."
@clause("G2.60(c)", "G2.61(c)")
def claims(content: TbsCertList, key: RegisteredKey, situation: Situation) -> tuple[Claim, ...]:
    """A greater number, certificates of one kind, and the place of the last list."""
    issuer = authority_identity(key.public_key)
    entries = frozenset(entry.serial.to_bytes(_SERIAL_OCTETS, "big") for entry in content.revoked)
    return (
        Increasing(
            rule="crl-number-greater-than-the-last",
            clause="G2.60(c), G2.61(c); RFC 5280 section 5.2.3",
            scope="crl-number",
            name=issuer,
            told="the CRLNumber of this issuer's list",
            number=content.number,
        ),
        Known(
            rule="revocation-list-of-one-kind",
            clause="G2.60(c), G2.61(c)",
            scope=CERTIFICATES,
            among=issuer,
            names=frozenset(issuer + entry for entry in entries),
            told="an ARL lists CA certificates and a CRL end-entity ones",
            begins=A_CA if key.purpose is KeyPurpose.ROOT_OCA else AN_END_ENTITY,
        ),
        Succession(
            rule="revocation-list-keeps-its-entries",
            clause="G2.60(c), G2.61(c); RFC 5280 section 3.3",
            scope="crl-entries",
            name=issuer,
            told="this issuer's list",
            entries=entries,
            lifetimes=CERTIFICATES,
            at=situation.at,
        ),
    )
