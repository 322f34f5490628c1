"""What do a thousand intents of one caller under one key have in common? It is encoded once, and the rest filled in.

An intent record is some 2,400 octets, of which all but seven values repeat from one request to the next. A form is
cut from the record that ``Writer.intent`` and ``encode`` make, so it cannot differ from them: a test compares both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring

from keybroker.content.use import UseKind
from keybroker.gates.model import Permit
from keybroker.ledger import record
from keybroker.ledger.model import Json, RequestIdentity
from keybroker.policy.model import Policy, RegisteredKey
from keybroker.terms import Caller, Finding

# In canonical order; U+0000 stands for each while the form is cut, and is written "\u0000".
_FILLED = ("at", "content", "digest", "octets", "request", "request_id", "reused")
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
        self._forms: dict[tuple[str, str, str], _Form] = {}

    def encode(
        self,
        identity: RequestIdentity,
        permit: Permit,
        *,
        octets: str,
        digest: str,
        reused: int,
        at: str,
        taken: Sequence[Mapping[str, Json]] = (),
    ) -> bytes:
        """The octets of ``record.encode(writer.intent(…))``, sooner. ``octets`` and ``digest`` are SHA-256 in hex."""
        accompanying = permit.decision.content.accompanying
        if taken or accompanying or permit.decision.content.use_kind is not UseKind.SIGNATURE:
            # Rare beside Commands, and too various for a form.
            body = self._writer.intent(
                identity,
                permit,
                octets=octets,
                digest=digest,
                reused=reused,
                at=at,
                accompanying=accompanying,
                taken=taken,
            )
            return record.encode(body)
        name = (identity.caller.identity, identity.key, identity.operation)
        form = self._forms.get(name)
        if form is None or not form.fits(identity, permit):
            form = self._forms[name] = self._cut(identity, permit)
            if len(self._forms) > _MOST_FORMS:
                self._forms.clear()
        a, b, c, d, e, f, g, h = form.pieces
        content = record.encode(record.content_facts(permit.decision.content)).decode()
        request_id = encode_basestring(identity.request_id)
        return (
            f'{a}"{at}"{b}{content}{c}"{digest}"{d}"{octets}"{e}"{identity.sha256.hex()}"{f}{request_id}{g}{reused}{h}'
        ).encode()

    def _cut(self, identity: RequestIdentity, permit: Permit) -> _Form:
        body = self._writer.intent(identity, permit, octets="", digest="", reused=0, at="")
        text = record.encode({**body, **dict.fromkeys(_FILLED, _MARK)}).decode()
        decision = permit.decision
        return _Form(tuple(text.split(_WRITTEN_MARK)), identity.caller, decision.key, decision.policy, permit.findings)
