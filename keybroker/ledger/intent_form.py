"""What do a thousand intents of one caller under one key have in common? It is encoded once, and the rest filled in.

An intent record is some 2,400 octets, of which all but seven values repeat from one request to the next, or eight
where the use counts against Anomaly Detection Thresholds. A form is cut from the record that ``Writer.intent`` and
``encode`` make, so it cannot differ from them: a test compares both.
"""

from __future__ import annotations

from dataclasses import dataclass
from json.encoder import encode_basestring

from keybroker.content.use import UseKind
from keybroker.gates.model import Permit
from keybroker.ledger import canonical_json, record
from keybroker.ledger.model import RequestIdentity
from keybroker.ledger.record import TAKES_NOTHING, Takes
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.terms import Caller, Finding

# In canonical order; U+0000 stands for each while the form is cut, and is written "\u0000".
_FILLED = ("at", "content", "digest", "octets", "request", "request_id", "reused")
_COUNTED = "counted"
"""Filled in too where there is such a value; it stands behind ``content``."""
_MARK, _WRITTEN_MARK = "\0", '"\\u0000"'
_MOST_FORMS = 1024


@dataclass(frozen=True, slots=True)
class _Form:
    """The pieces of text between the seven values, and everything that they were made from."""

    pieces: tuple[str, ...]
    caller: Caller
    key: RegisteredKey
    policy: Policy
    findings: tuple[Finding, ...]

    def fits(self, identity: RequestIdentity, permit: Permit) -> bool:
        decision = permit.decision
        # Nearly always the very same objects, which ``==`` sees at once.
        return (
            self.caller == identity.caller
            and self.key == decision.key
            and self.policy is decision.policy
            and self.findings == permit.findings
        )


class IntentForms:
    """The forms of one worker's intents."""

    def __init__(self, writer: record.Writer) -> None:
        self._writer = writer
        self._forms: dict[tuple[str, str, str, bool], _Form] = {}

    def encode(
        self,
        identity: RequestIdentity,
        permit: Permit,
        *,
        octets: str,
        digest: str,
        reused: int,
        at: str,
        takes: Takes = TAKES_NOTHING,
    ) -> bytes:
        """The octets of ``record.encode(writer.intent(…))``, sooner. ``octets`` and ``digest`` are SHA-256 in hex."""
        if takes.taken or takes.warned or takes.released is not None or not _has_form(permit):
            body = self._writer.intent(
                identity,
                permit,
                octets=octets,
                digest=digest,
                reused=reused,
                at=at,
                accompanying=permit.decision.content.accompanying,
                takes=takes,
            )
            return canonical_json.encode(body)
        counted = canonical_json.text(list(takes.counted)) if takes.counted else ""
        return self._filled(
            identity, permit, octets=octets, digest=digest, reused=reused, at=at, counted=counted
        ).encode()

    def halves(
        self, identity: RequestIdentity, permit: Permit, *, octets: str, digest: str, at: str
    ) -> tuple[bytes, bytes] | None:
        """The octets before and behind the value of ``counted``, of a use whose counter was never used before: what
        is counted is known in the turn alone, and everything else sooner. None where there is no form for it.
        """
        if permit.claims or not permit.counts or not _has_form(permit):
            return None
        # JSON has no U+0000 of its own: it is written "\\u0000".
        whole = self._filled(identity, permit, octets=octets, digest=digest, reused=0, at=at, counted=_MARK)
        before, _, behind = whole.partition(_MARK)
        return before.encode(), behind.encode()

    def _filled(
        self, identity: RequestIdentity, permit: Permit, *, octets: str, digest: str, reused: int, at: str, counted: str
    ) -> str:
        name = (identity.caller.identity, identity.key, identity.operation, bool(counted))
        form = self._forms.get(name)
        if form is None or not form.fits(identity, permit):
            form = self._forms[name] = self._cut(identity, permit, counts=bool(counted))
            if len(self._forms) > _MOST_FORMS:
                self._forms.clear()
        a, b, *between, d, e, f, g, h = form.pieces
        c = counted.join(between)
        content = canonical_json.encode(record.content_facts(permit.decision.content)).decode()
        request_id = encode_basestring(identity.request_id)
        return (
            f'{a}"{at}"{b}{content}{c}"{digest}"{d}"{octets}"{e}"{identity.sha256.hex()}"{f}{request_id}{g}{reused}{h}'
        )

    def _cut(self, identity: RequestIdentity, permit: Permit, *, counts: bool) -> _Form:
        body = self._writer.intent(identity, permit, octets="", digest="", reused=0, at="")
        filled = (*_FILLED, _COUNTED) if counts else _FILLED
        text = canonical_json.encode({**body, **dict.fromkeys(filled, _MARK)}).decode()
        decision = permit.decision
        return _Form(tuple(text.split(_WRITTEN_MARK)), identity.caller, decision.key, decision.policy, permit.findings)


def _has_form(permit: Permit) -> bool:
    """Others are rare beside Commands, and too various for a form."""
    content = permit.decision.content
    return not content.accompanying and not permit.used and content.use_kind is UseKind.SIGNATURE
