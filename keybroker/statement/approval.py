"""What did the SMKI PMA approve, what are the Security Sub-Committee's views, and of which exact ceremony plan?

SEC G2.22F-G2.22I (a transfer), G2.44B (a split key), and the SMKI Recovery Procedure, by which the Recovery and the
Contingency key are used only after the SMKI PMA so decided (handbook 6.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from keybroker.statement.said import Code, Eui, Name, Reference, Said, Sha256, Table, Words

Committee = Literal["smki-pma", "security-sub-committee", "dcc"]
"""Who says it. The ``dcc`` is no committee: of a transfer it says itself what G2.22F and G2.22G presuppose."""

About = Literal[
    "transfer",
    "mechanism",
    "views",
    "replaced-contract",
    "requisite",
    "generate",
    "renew",
    "split",
    "split-of-appendix-l",
    "combine",
    "reshare",
    "verify-shares",
    "destroy",
]
"""What is approved.

``transfer``, ``mechanism``: G2.22I(a)(i), (ii). ``views``: of the Security Sub-Committee on the proposed transfer.
``replaced-contract``, ``requisite``: G2.22F, G2.22G. ``split-of-appendix-l``: this split is the one that Appendix L
describes (G2.44B). ``combine``: the key is used, for these messages. The others: that ceremony.
"""

MOST_KEYS, MOST_DEVICES, MOST_USES = 32, 200, 1_000

_COMMITTEES: Mapping[str, Committee] = {
    "views": "security-sub-committee",
    "replaced-contract": "dcc",
    "requisite": "dcc",
}
"""Who says what; all else is the SMKI PMA's."""
_OF_A_TRANSFER = frozenset({"transfer", "mechanism", "views"})
_AFTER_VIEWS = frozenset({"transfer", "mechanism"})
_NEEDS_NO_PLAN = frozenset({"views", "combine"})


class Condition(Table):
    """SEC G2.22I(b)(i): one of "any conditions that may be specified by the SMKI PMA in its approval"."""

    id: Name
    words: Words


class ApprovedMessage(Table):
    """Either these very octets, as they stand in the request, or what has this Message Code and is to these Devices."""

    octets_sha256: Sha256 | None = None
    code: Code | None = None
    devices: Annotated[list[Eui], Field(min_length=1, max_length=MOST_DEVICES)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        said = (self.octets_sha256 is not None, self.code is not None, self.devices is not None)
        if said not in ((True, False, False), (False, True, True)):
            raise ValueError("expected octets_sha256, or code and devices")
        if self.devices is not None and len(set(self.devices)) != len(self.devices):
            raise ValueError("devices: expected each of them once")
        return self


class Approval(Said):
    """What ``committee`` says ``about`` one exact plan, on record elsewhere under ``reference``.

    ``keys`` are SHA-256 of the register's public keys (65 octets, or a secret key's CKA_ID); none where they are still
    to be made. ``plan_sha256`` is of the plan file's octets; absent of views, which are on what is proposed, and of a
    key that is used without a ceremony, as its module holds it whole. ``views`` is the reference of the Security
    Sub-Committee's views that were taken into account. ``messages`` and ``uses``: what a combined key may sign, and
    how often.
    """

    committee: Committee
    about: About
    reference: Reference
    plan_sha256: Sha256 | None = None
    keys: Annotated[list[Sha256], Field(max_length=MOST_KEYS)]
    source: Name | None = None
    destination: Name | None = None
    mechanism: Name | None = None
    views: Reference | None = None
    conditions: Annotated[list[Condition], Field(max_length=32)]
    messages: Annotated[list[ApprovedMessage], Field(min_length=1, max_length=64)] | None = None
    uses: Annotated[int, Field(ge=1, le=MOST_USES)] | None = None

    @model_validator(mode="after")
    def _by_whom_of_what(self) -> Self:
        committee = _COMMITTEES.get(self.about, "smki-pma")
        if self.committee != committee:
            raise ValueError(f"expected what is said about {self.about} of the {committee}")
        if self.plan_sha256 is None and self.about not in _NEEDS_NO_PLAN:
            raise ValueError("expected plan_sha256: an approval is of one exact plan")
        if bool(self.keys) is (self.about == "generate"):
            raise ValueError("expected keys, and none of a key that is still to be made")
        return self

    @model_validator(mode="after")
    def _of_its_ceremony(self) -> Self:
        moved = [each is not None for each in (self.source, self.destination, self.mechanism)]
        if not all(moved) if self.about in _OF_A_TRANSFER else any(moved):
            raise ValueError("expected source, destination and mechanism of a transfer, and of nothing else")
        if self.source is not None and self.source == self.destination:
            raise ValueError("expected another destination than the source")
        if (self.views is not None) is not (self.about in _AFTER_VIEWS):
            raise ValueError("expected views where a transfer or its mechanism is approved (G2.22I(a)), nowhere else")
        used = [each is not None for each in (self.messages, self.uses)]
        if not all(used) if self.about == "combine" else any(used):
            raise ValueError("expected messages and uses where a key is to be used, and nowhere else")
        return self

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name, said in (("keys", self.keys), ("conditions", [each.id for each in self.conditions])):
            if len(set(said)) != len(said):
                raise ValueError(f"{name}: expected each of them once")
        return self
