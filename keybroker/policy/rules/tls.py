"""May this key sign this TLS handshake? SEC G2.44(d), G2.44(a).

What a TLS 1.3 CertificateVerify covers is a hash, so that nothing is known of its handshake: there rests everything on
the key, which signs handshakes and nothing else, and on who may ask for it.
"""

from __future__ import annotations

from keybroker.content.tls_handshake import TlsHandshake
from keybroker.policy.certificates import CertificateUnfit, public_point
from keybroker.policy.model import RegisteredKey
from keybroker.policy.rule import Rule
from keybroker.terms import Finding, RuleName

# SEC G2.44(d): "involves the use of a DCC Private Key to establish any Transport Layer Security for the purposes of
# communicating with a SMETS1 Device". RFC 5246 section 7.4.8: a client's CertificateVerify proves possession of the key
# in the certificate that it sent; with any other key it establishes nothing.
TLS_CLIENT_CERTIFICATE_IS_KEYS = Rule(
    name=RuleName("tls-client-certificate-is-keys"),
    clause="G2.44(d), G2.44(a)",
    remedy="present the certificate of this very key in the handshake",
)


def tls_client_certificate_is_keys(content: TlsHandshake, key: RegisteredKey) -> Finding:
    """The certificate in a TLS 1.2 client's handshake has the key's own public key; no other handshake shows one."""
    if content.handshake is None:
        return TLS_CLIENT_CERTIFICATE_IS_KEYS.passed
    try:
        point = public_point(content.handshake.client_certificate)
    except CertificateUnfit as unfit:
        return TLS_CLIENT_CERTIFICATE_IS_KEYS.refused(expected="a certificate of this key", found=unfit.sentence)
    if point == key.public_key:
        return TLS_CLIENT_CERTIFICATE_IS_KEYS.passed
    return TLS_CLIENT_CERTIFICATE_IS_KEYS.refused(expected="a certificate of this key", found="one of another")


# SEC G2.44(d), as above: "the use of a DCC Private Key to establish any Transport Layer Security". The key signs; were
# its public key also the server's ephemeral one, it would agree secrets too, for as long as it lives (RFC 8422 section
# 2.2).
TLS_EPHEMERAL_KEY_IS_ANOTHER = Rule(
    name=RuleName("tls-ephemeral-key-is-another"),
    clause="G2.44(d), G2.44(a)",
    remedy="make a new ephemeral key for every handshake",
)


def tls_ephemeral_key_is_another(content: TlsHandshake, key: RegisteredKey) -> Finding:
    """The point in a TLS 1.2 ServerKeyExchange is not the signing key's own. Elsewhere no ephemeral key is seen."""
    if content.exchange is None or content.exchange.point != key.public_key:
        return TLS_EPHEMERAL_KEY_IS_ANOTHER.passed
    return TLS_EPHEMERAL_KEY_IS_ANOTHER.refused(
        expected="a key made for this handshake", found="the signing key's own", offset=69
    )


RULES: tuple[Rule, ...] = (TLS_CLIENT_CERTIFICATE_IS_KEYS, TLS_EPHEMERAL_KEY_IS_ANOTHER)


def findings(content: TlsHandshake, key: RegisteredKey) -> tuple[Finding, ...]:
    """Every rule of this kind of content, in order."""
    return (tls_client_certificate_is_keys(content, key), tls_ephemeral_key_is_another(content, key))
