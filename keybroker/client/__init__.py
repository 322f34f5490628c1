"""How do I ask a broker to sign? With ``Broker`` (any thread) or ``AsyncBroker`` (asyncio).

    from keybroker.client import Broker

    with Broker("127.0.0.1:8443", certificate="me.pem", private_key="me.key", anchors="anchors.pem") as broker:
        signed = broker.sign_pre_command(key="supplier-a", octets=pre_command)

Errors are the classes of ``keybroker.errors``, with ``reason``, ``clause`` and, where rules spoke, ``findings``;
and two of the client's own, ``BrokerUnreachable`` and ``BrokerFailed``. See docs/client.md.
"""

from keybroker.client.answers import (
    ContentFacts,
    Explanation,
    Key,
    PublicKey,
    Receipt,
    Record,
    SignedMessage,
    SigningRequest,
)
from keybroker.client.blocking import Broker
from keybroker.client.broker import AsyncBroker
from keybroker.client.refusals import BrokerFailed, BrokerUnreachable

__all__ = [
    "AsyncBroker",
    "Broker",
    "BrokerFailed",
    "BrokerUnreachable",
    "ContentFacts",
    "Explanation",
    "Key",
    "PublicKey",
    "Receipt",
    "Record",
    "SignedMessage",
    "SigningRequest",
]
