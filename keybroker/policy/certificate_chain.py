"""What does the certificate chain behind a key say, once every signature in it was verified?

RFC 5280 section 6.1, up to one configured anchor. What each certificate states is ``certificates``' question; whether
the chain may be relied on now is ``relying``'s, and the rules'. The nesting of validity periods is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from keybroker.policy.certificates import (
    KNOWN_CRITICAL,
    CertificateUnfit,
    authority_identity,
    check_common,
    expect,
    find_extension,
    load_certificate,
    point_of,
    read_end_entity,
    unfit,
)
from keybroker.policy.model import CertificateFacts
from keybroker.policy.published_test_keys import is_published_test_key
from keybroker.policy.trust import Anchor

_LONGEST_CHAIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedChain:
    """Certificates below ``anchor``, end entity first, and each with its issuer; every signature was verified."""

    der: tuple[bytes, ...]
    anchor: Anchor
    links: tuple[tuple[x509.Certificate, x509.Certificate], ...]

    @property
    def validity(self) -> tuple[datetime, datetime]:
        """When all of them are valid: RFC 5280 section 6.1.3(a)(2). The anchor's own is not looked at (6.1)."""
        certificates = [subject for subject, _ in self.links]
        begins = max(certificate.not_valid_before_utc for certificate in certificates)
        return begins, min(certificate.not_valid_after_utc for certificate in certificates)


def read_chain(der: Sequence[bytes], anchors: Sequence[Anchor], *, revoked_at: datetime | None) -> CertificateFacts:
    """Verify every signature from the end entity up to a configured anchor, and say what the end entity states.

    ``der`` is the end-entity certificate, then its issuers in order; the anchor may be left out or stand last. Its
    validity is that of the whole chain. Raises: CertificateUnfit.
    """
    facts, chain = verify_chain(der, anchors)
    begins, ends = chain.validity
    return replace(facts, revoked_at=revoked_at, not_before=begins, not_after=ends)


def verify_chain(der: Sequence[bytes], anchors: Sequence[Anchor]) -> tuple[CertificateFacts, VerifiedChain]:
    """What the end entity states, and the chain behind it. Raises: CertificateUnfit."""
    # 1. The end entity by its own profile; 2. every link up to the anchor.
    facts = read_end_entity(der[0] if der else b"")
    chain = verify_links(_up_to_the_highest(der, anchors), anchors, known_critical=KNOWN_CRITICAL)
    # An anchor stands on nobody's list: what issued itself is left out.
    links = [(subject, issuer) for subject, issuer in chain.links if subject != issuer]
    verified = replace(
        facts,
        der=chain.der,
        test_anchor=chain.anchor.test,
        issuers=tuple(authority_identity(point_of(issuer)) for _, issuer in links),
        serials=tuple(subject.serial_number for subject, _ in links),
    )
    return verified, chain


def _up_to_the_highest(der: Sequence[bytes], anchors: Sequence[Anchor]) -> tuple[bytes, ...]:
    """The chain, and above it each anchor that another anchor issued: whoever leaves out the issuer of a CA that is an
    anchor itself would leave out the list on which that CA may stand. Raises: CertificateUnfit.
    """
    whole = tuple(der[: _LONGEST_CHAIN + 1])
    while len(whole) <= _LONGEST_CHAIN:
        last = load_certificate(whole[-1])
        above = [each for each in anchors if each.der not in whole and _issued(last, load_certificate(each.der))]
        if last.issuer == last.subject or not above:
            break
        below = [each for each in anchors if each.der in whole]
        expect(len({each.test for each in (*above, *below)}) == 1, "anchors that are either for test or for live")
        whole = (*whole, above[0].der)
    return (*whole, *der[_LONGEST_CHAIN + 1 :])


def verify_links(
    der: Sequence[bytes], anchors: Sequence[Anchor], *, known_critical: frozenset[x509.ObjectIdentifier]
) -> VerifiedChain:
    """Verify every signature up to a configured anchor; what the end entity itself is, its own profile says.

    ``known_critical`` are the critical extensions that some profile of the chain knows. Raises: CertificateUnfit.
    """
    # 1. The anchor, exactly one: that which the chain ends with, or which issued its last certificate.
    listed = {anchor.der for anchor in anchors}
    below = tuple(der[:-1] if len(der) > 1 and der[-1] in listed else der)
    expect(bool(below), "a certificate, found none")
    if len(below) > _LONGEST_CHAIN:
        raise CertificateUnfit(f"expected at most {_LONGEST_CHAIN} certificates below the anchor, found {len(below)}")
    chain = [load_certificate(octets) for octets in below]
    anchor = _find_anchor(chain[-1], anchors)
    # 2. Every link.
    issuers = [*chain[1:], load_certificate(anchor.der)]
    # A live deployment trusts nobody whose key is public, whatever its configuration lists.
    published = [issuer for issuer in issuers if is_published_test_key(point_of(issuer))]
    expect(anchor.test or not published, "an issuer that is no published test CA")
    links = tuple(zip(chain, issuers, strict=True))
    for depth, (subject, issuer) in enumerate(links):
        _check_issuer(issuer, depth=depth)
        _check_link(subject, issuer, known_critical)
    return VerifiedChain(der=below, anchor=anchor, links=links)


def _find_anchor(last: x509.Certificate, anchors: Sequence[Anchor]) -> Anchor:
    """The one configured anchor that issued ``last``. One listed both as test and as live is no anchor at all."""
    found = [anchor for anchor in anchors if _issued(last, load_certificate(anchor.der))]
    if not found:
        raise unfit(f"an issuer among the configured anchors, found {last.issuer.rfc4514_string()!r}")
    expect(len({anchor.test for anchor in found}) == 1, "an anchor that is either for test or for live")
    return found[0]


def _issued(subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check_issuer(issuer: x509.Certificate, *, depth: int) -> None:
    """A CA that may sign certificates, with at most as many CAs below it as it allows. ``depth`` counts those."""
    constraints, usage = find_extension(issuer, x509.BasicConstraints), find_extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.critical or not constraints.value.ca:
        raise unfit("an issuer that is a CA (critical basicConstraints)")
    if usage is None or not usage.value.key_cert_sign:
        raise unfit("an issuer with keyCertSign")
    limit = constraints.value.path_length
    expect(limit is None or depth <= limit, "no more CAs in the chain than its issuers allow")


def _check_link(
    subject: x509.Certificate, issuer: x509.Certificate, known_critical: frozenset[x509.ObjectIdentifier]
) -> None:
    """Names chain, key identifiers chain where they are given, and the signature verifies."""
    check_common(subject, known_critical)
    point_of(issuer)
    expect(subject.issuer.public_bytes() == issuer.subject.public_bytes(), "an issuer of the name that is stated")
    authority, identifier = (
        find_extension(subject, x509.AuthorityKeyIdentifier),
        find_extension(issuer, x509.SubjectKeyIdentifier),
    )
    if authority is not None and identifier is not None:
        expect(authority.value.key_identifier == identifier.value.digest, "the authority key identifier of the issuer")
    expect(_issued(subject, issuer), "a signature that verifies with the issuer's public key")
