"""How is somebody told of an Anomalous Event who is not looking? An HTTPS POST of JSON, with an HMAC. SEC G2.30, G3.16.

Tries are bounded in time, whatever the other end does; their number is not: a message is sent until it is taken. What
is sent is the record's own words; the other end knows by ``Keybroker-Event`` what it has taken before.
"""

from __future__ import annotations

import hmac
import http.client
import os
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import final
from urllib.parse import urlsplit

from keybroker.config import Configuration
from keybroker.config.anomalies_table import SecretTable, WebhookTable
from keybroker.config.pin import from_credential
from keybroker.errors import ConfigurationInvalid
from keybroker.ledger.canonical_json import Json, encode

_SHORTEST_SECRET = 16


class NotTaken(Exception):
    """The message was not taken; the words say why, and hold no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where messages go. ``origin`` is the ledger's; ``context`` verifies the other end."""

    table: WebhookTable
    origin: str
    context: ssl.SSLContext

    def send(self, event: int, record: Mapping[str, Json], at: datetime) -> None:
        """One try. Raises: NotTaken."""
        octets = encode({"event": event, "origin": self.origin, "record": dict(record)})
        seconds = str(int(at.timestamp()))
        try:
            tag = hmac.digest(_secret(self.table.secret), seconds.encode() + b"." + octets, sha256).hex()
        except ConfigurationInvalid as error:
            raise NotTaken(error.sentence) from error
        headers = {
            "Content-Type": "application/json",
            "Keybroker-Event": f"{self.origin} {event}",
            "Keybroker-Signature": f"t={seconds},sha256={tag}",
        }
        with _Post(self) as post:
            status = post.status_of(octets, headers)
        if not 200 <= status < 300:
            raise NotTaken(f"expected a status of 200 to 299, found {status}")


def webhook_of(configuration: Configuration) -> Webhook | None:
    """As the configuration has it, None where nobody is sent messages. Raises: ConfigurationInvalid."""
    watch = configuration.file.watch
    if watch is None or watch.webhook is None:
        return None
    anchors = watch.webhook.anchors
    try:
        context = ssl.create_default_context(cafile=None if anchors is None else str(configuration.beside(anchors)))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationInvalid("the authorities cannot be read", where="anomalies.webhook.anchors") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _secret(watch.webhook.secret)
    return Webhook(table=watch.webhook, origin=configuration.ledger_origin, context=context)


@final
class _Post:
    """One connection, closed after the time for a try is over, whatever the other end does until then."""

    def __init__(self, webhook: Webhook) -> None:
        self._parts = urlsplit(webhook.table.url)
        seconds = webhook.table.timeout_seconds
        self._connection = http.client.HTTPSConnection(
            self._parts.hostname or "", self._parts.port, timeout=seconds, context=webhook.context
        )
        self._watchdog = threading.Timer(seconds, self._give_up)
        self._watchdog.daemon = True

    def __enter__(self) -> _Post:
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self._connection.close()

    def status_of(self, octets: bytes, headers: Mapping[str, str]) -> int:
        """Raises: NotTaken."""
        path = self._parts.path or "/"
        target = f"{path}?{self._parts.query}" if self._parts.query else path
        try:
            self._connection.request("POST", target, body=octets, headers=dict(headers))
            return self._connection.getresponse().status
        except (OSError, http.client.HTTPException, AttributeError, ValueError) as error:
            # Closed by the watchdog under its hands, a connection raises whatever it was about to do.
            raise NotTaken(f"{type(error).__name__}: {error}"[:200]) from error

    def _give_up(self) -> None:
        socket = self._connection.sock
        if socket is not None:
            try:
                socket.shutdown(2)
            except OSError:
                return


def _secret(table: SecretTable) -> bytes:
    """Read at every use. Raises: ConfigurationInvalid."""
    if table.credential is not None:
        try:
            text = from_credential(table.credential)()
        except ConfigurationInvalid as error:
            raise ConfigurationInvalid(
                f"the webhook's secret cannot be had from the credential {table.credential}",
                where="anomalies.webhook.secret",
            ) from error
    else:
        text = os.environ.get(table.environment or "", "")
    secret = text.strip().encode()
    if len(secret) < _SHORTEST_SECRET:
        raise ConfigurationInvalid(
            f"expected a webhook secret of at least {_SHORTEST_SECRET} characters, found fewer",
            where="anomalies.webhook.secret",
        )
    return secret
