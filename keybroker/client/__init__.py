"""How do I ask a broker to use a key? With ``Broker`` (any thread) or ``AsyncBroker`` (asyncio).

    from keybroker.client import Broker

    with Broker("127.0.0.1:8443", certificate="me.pem", private_key="me.key", anchors="anchors.pem") as broker:
        signed = broker.sign_pre_command(key="supplier-a", octets=pre_command)

Errors are the classes of ``keybroker.errors``, with ``reason``, ``clause`` and, where rules spoke, ``findings``;
and two of the client's own, ``BrokerUnreachable`` and ``BrokerFailed``. See docs/client.md.
"""

from keybroker.client.answers import (
    Answer,
    ContentFacts,
    Explanation,
    InclusionProof,
    Key,
    PrepaymentToken,
    Processed,
    PublicKey,
    Receipt,
    Record,
    SignedMessage,
    Smets1Session,
)
from keybroker.client.blocking import Broker
from keybroker.client.broker import AsyncBroker
from keybroker.client.refusals import BrokerFailed, BrokerUnreachable
from keybroker.client.requests import (
    HandshakeRequest,
    Request,
    SigningRequest,
    Tls12CertificateVerify,
    Tls12ServerKeyExchange,
    Tls13CertificateVerify,
    TlsRole,
    TopUpRequest,
)

__all__ = [
    "Answer",
    "AsyncBroker",
    "Broker",
    "BrokerFailed",
    "BrokerUnreachable",
    "ContentFacts",
    "Explanation",
    "HandshakeRequest",
    "InclusionProof",
    "Key",
    "PrepaymentToken",
    "Processed",
    "PublicKey",
    "Receipt",
    "Record",
    "Request",
    "SignedMessage",
    "SigningRequest",
    "Smets1Session",
    "Tls12CertificateVerify",
    "Tls12ServerKeyExchange",
    "Tls13CertificateVerify",
    "TlsRole",
    "TopUpRequest",
]
