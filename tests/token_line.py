"""The whole line over a real token: for tests that ask it as a DCC service would."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from keybroker.hsm.token_module import Token
from keybroker.ledger.canonical_json import decode as read_record
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import RequestIdentity
from keybroker.policy.model import KeyRegister, RegisteredKey
from keybroker.policy.rules.purpose import OPERATIONS
from keybroker.signing import Ask, Line, Outcome, sign_batch
from keybroker.terms import ContentKind, DeploymentKind, KeyLabel, RequestId
from tests.dcc_uses import a_dcc_caller
from tests.evidence import FixedSurroundings
from tests.situations import AT, ORIGIN, good_standing, packaged_policies


@dataclass(frozen=True, slots=True)
class FixedRegister:
    """A register that never changes."""

    register: KeyRegister

    def current(self) -> KeyRegister:
        return self.register

    def refresh(self) -> KeyRegister:
        return self.register


@dataclass(frozen=True, slots=True)
class TokenLine:
    """``keys`` are those that the token holds."""

    line: Line
    journal: Journal

    def asked(self, key: KeyLabel, kind: ContentKind, octets: bytes, request_id: str) -> Outcome:
        return self.asked_all((key, kind, octets, request_id))[0]

    def asked_all(self, *asked: tuple[KeyLabel, ContentKind, bytes, str]) -> list[Outcome]:
        """In one batch."""
        asks = [
            Ask(
                identity=RequestIdentity(
                    caller=a_dcc_caller(*self.line.register.current().keys),
                    operation=OPERATIONS[kind],
                    key=key,
                    request_id=RequestId(request_id),
                    sha256=sha256(octets).digest(),
                ),
                kind=kind,
                octets=octets,
            )
            for key, kind, octets, request_id in asked
        ]
        return sign_batch(self.line, asks, AT)

    def records(self) -> list[dict[str, Any]]:
        """The bodies of all records so far, the origin's left out."""
        found = [self.journal.find(index) for index in range(1, self.journal.head(AT).tree_size)]
        return [dict(read_record(record.octets)) for record in found if record is not None]


def a_token_line(token: Token, journal: Journal, *keys: RegisteredKey) -> TokenLine:
    """A test deployment's line. ``journal`` is on a new ledger, whose register has version 0."""
    held = {key.label: key for key in keys}
    register = FixedRegister(KeyRegister(version=0, keys=held, standing=good_standing(token.identity)))
    line = Line(
        deployment=DeploymentKind.TEST,
        ledger_origin=ORIGIN,
        policies=packaged_policies(),
        register=register,
        journal=journal,
        module=token,
        anchors=(),
        device_anchors=(),
        surroundings=FixedSurroundings(),
    )
    return TokenLine(line, journal)
