"""A place for session keys of TLS with SMETS1 Devices: a real token, ledger and register, the line, no network."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from keybroker.config.clock import Clock
from keybroker.hsm.generate import generate_key
from keybroker.hsm.session_keys import draw_identifier
from keybroker.hsm.token_module import Token
from keybroker.keys.acts import BeginSession
from keybroker.keys.administration import Act, ActivateKey, Actor, KeyGenerated, OrderKey, administer
from keybroker.keys.register import Register
from keybroker.ledger import canonical_json
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Concluded, RequestIdentity
from keybroker.policy.rules.purpose import OPERATIONS
from keybroker.server.logging import configure_logging
from keybroker.server.session_beginning import Beginning, Begun, act_of
from keybroker.server.smets1_sessions import Sessions
from keybroker.server.standing import Current, Limits, Standing
from keybroker.signing import Ask, Line, Outcome, sign_batch
from keybroker.terms import (
    Caller,
    CallerKind,
    ContentKind,
    DeploymentKind,
    EntityIdentifier,
    KeyLabel,
    KeyPurpose,
    PartyName,
    Provenance,
    RequestId,
)
from tests import evidence
from tests.content.test_smets1 import DEVICE, GET
from tests.dcc_uses import SMETS1_EUI, a_dcc_caller
from tests.evidence import FixedSurroundings
from tests.keys.ordering import give
from tests.ledger import books
from tests.situations import AT, ORIGIN, packaged_policies

LIMITS = Limits(message_octets=65_536, batch_items=16, deadline_seconds=30, connection_age_seconds=3_600)
S1SP, S1SP_B, TLS = KeyLabel("s1sp-smets1"), KeyLabel("s1sp-b"), KeyLabel("smets1-tls")
OTHER_TLS, COS_TLS, DCO = KeyLabel("other-tls"), KeyLabel("cos-party-tls"), KeyLabel("dco-smets1")
KEYS: tuple[tuple[KeyLabel, KeyPurpose, str, EntityIdentifier | None], ...] = (
    (S1SP, KeyPurpose.S1SP_SMETS1, "dcc", SMETS1_EUI),
    (S1SP_B, KeyPurpose.S1SP_SMETS1, "dcc", SMETS1_EUI),
    (TLS, KeyPurpose.SMETS1_TLS, "dcc", None),
    (OTHER_TLS, KeyPurpose.SMETS1_TLS, "another", None),
    (COS_TLS, KeyPurpose.COS_PARTY_TLS, "dcc", None),
    (DCO, KeyPurpose.DCO_SMETS1, "dcc", SMETS1_EUI),
)
CALLER = a_dcc_caller(S1SP, S1SP_B, TLS, COS_TLS, DCO)
ANOTHER = replace(a_dcc_caller(OTHER_TLS, S1SP), identity="uri:urn:another", party=PartyName("another"))
_names = count(1)


def operator(party: str = "dcc") -> Actor:
    return Actor(identity="local:operator", kind=CallerKind.OPERATOR, party=PartyName(party))


def make_keys(token: Token, journal: Journal) -> None:
    for label, purpose, party, eui in KEYS:
        identity = generate_key(token, label, packaged_policies()[purpose])
        made = KeyGenerated(label=label, public_key=identity, provenance=Provenance.GENERATED)
        order = OrderKey(label=label, purpose=purpose, party=PartyName(party), eui=eui)
        acts: tuple[Act, ...] = (order, made, ActivateKey(label=label))
        for act in acts:
            administer(journal, operator(party), act, AT)


@dataclass(slots=True, kw_only=True)
class Place:
    """One worker of one run of the broker; ``at`` is its clock."""

    token: Token
    journal: Journal
    current: Current
    sessions: Sessions
    at: datetime = AT

    @property
    def line(self) -> Line:
        return self.current.standing.line

    def passes(self, seconds: float) -> None:
        """Let the clock go on."""
        self.at += timedelta(seconds=seconds)
        self.current.standing = replace(self.current.standing, clock=Clock(self.at))

    def asked(self, key: KeyLabel, kind: ContentKind, octets: bytes, *, caller: Caller = CALLER) -> Outcome:
        identity = RequestIdentity(
            caller=caller,
            operation=OPERATIONS[kind],
            key=key,
            request_id=RequestId(f"r-{next(_names)}"),
            sha256=sha256(octets).digest(),
        )
        return sign_batch(self.line, [Ask(identity=identity, kind=kind, octets=octets)], self.at)[0]

    def protects(self, key: KeyLabel, device: EntityIdentifier = DEVICE, *, caller: Caller = CALLER) -> Outcome:
        return self.asked(key, ContentKind.SMETS1_INSTRUCTION, device.octets + GET, caller=caller)

    def handshake(self, key: KeyLabel = TLS, *, caller: Caller = CALLER) -> int:
        """The leaf index of our signature in a TLS 1.3 handshake."""
        digest = sha256(str(next(_names)).encode()).digest()
        outcome = self.asked(key, ContentKind.TLS_HANDSHAKE, b"\x01" + digest, caller=caller)
        assert isinstance(outcome, Concluded), outcome
        return outcome.receipt.leaf_index

    def begins(self, handshake: int, *, caller: Caller = CALLER, **changes: Any) -> Begun:
        asked = {"parent": S1SP, "device": DEVICE, "request_id": RequestId(f"b-{handshake}-{next(_names)}"), **changes}
        digest = sha256(repr((handshake, sorted(asked.items(), key=str))).encode()).digest()
        return self.sessions.begin(caller, Beginning(handshake=handshake, sha256=digest, **asked))

    def orders(self, handshake: int) -> BeginSession:
        """What is written before a key is made, and nothing more."""
        request_id = RequestId(f"b-{handshake}-{next(_names)}")
        asked = Beginning(request_id=request_id, parent=S1SP, device=DEVICE, handshake=handshake, sha256=bytes(32))
        policy = packaged_policies()[KeyPurpose.S1SP_SMETS1]
        identifier = draw_identifier(self.token, policy, self.line.register.refresh())
        act = act_of(policy, CALLER, asked, identifier=identifier, broker="run-1", at=self.at)
        administer(self.journal, Actor(identity=CALLER.identity, kind=CALLER.kind, party=CALLER.party), act, self.at)
        return act

    def ends(self, key: KeyLabel, *, caller: Caller = CALLER) -> int:
        return self.sessions.end(caller, key, RequestId(f"e-{next(_names)}")).leaf_index

    def does(self, act: Act) -> None:
        administer(self.journal, operator(), act, self.at)

    def held(self, key: KeyLabel) -> int:
        """How many secret keys of that label the module shows."""
        with self.token.exclusively() as connection:
            return len(connection.find_secret(key))

    def acts(self, key: KeyLabel) -> list[dict[str, Any]]:
        """What was done to the key, as the records say it."""
        bodies = [self.body(index) for index in range(1, self.journal.head(self.at).tree_size)]
        acts: list[dict[str, Any]] = [body["body"] for body in bodies if body["kind"] == "administrative"]
        return [act for act in acts if act.get("key") == key]

    def body(self, leaf_index: int) -> dict[str, Any]:
        found = self.journal.find(leaf_index)
        assert found is not None
        return dict(canonical_json.decode(found.octets))


@contextmanager
def a_place(token: Token, directory: Path, *, broker: str = "run-1", worker: str = "worker-0") -> Iterator[Place]:
    """On the ledger in ``directory``; its keys are made where it is new."""
    with books.a_book(directory, worker) as journal:
        if journal.head(AT).tree_size == 1:
            systems = dict.fromkeys(("dcc", "another"), ("head-end",))
            give(journal, evidence.a_scene(token.identity, systems=systems))
            make_keys(token, journal)
        line = Line(
            deployment=DeploymentKind.TEST,
            ledger_origin=ORIGIN,
            policies=packaged_policies(),
            register=Register(journal.ledger, ()),
            journal=journal,
            module=token,
            anchors=(),
            device_anchors=(),
            surroundings=FixedSurroundings(),
        )
        current = Current(Standing(line=line, callers={}, limits=LIMITS, clock=Clock(AT)))
        log = configure_logging("json", io.StringIO(), worker=worker)
        sessions = Sessions(current, token, broker=broker, log=log)
        yield Place(token=token, journal=journal, current=current, sessions=sessions)
