"""A module with an M-of-N of its own, stood in for: SoftHSM whose profile says ``luna-m-of-n``.

What the maker's tool would do is done when the ceremony asks what the tool showed: the key is wrapped to a pair that
nobody but the stand-in uses, and that is the quorum's copy; it is unwrapped into the token again for a use, and
destroyed there after it. The ceremony knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from keybroker.ceremony.hall import Hall
from keybroker.ceremony.performing.conducted import objects_of
from keybroker.ceremony.plan import CeremonyKind, Plan, PlanFile, SplitTerms
from keybroker.ceremony.steps import procedure
from keybroker.hsm.destruction import destroy_key
from keybroker.hsm.profile import Profile
from keybroker.hsm.profile_sections import QuorumAdapter
from keybroker.hsm.token_module import Token
from keybroker.hsm.unwrapping import unwrap_key
from keybroker.hsm.wrapped_key import encode_wrapped_key, read_wrapped_key
from keybroker.hsm.wrapping import wrap_key
from keybroker.hsm.wrapping_pair import make_wrapping_pair, wrapping_pair
from keybroker.terms import KeyLabel, KeyState
from tests.ceremony.plans import written
from tests.ceremony.scripted import Answer
from tests.ceremony.shared import Rehearsed

PAIR = "luna-partition"
LUNA = QuorumAdapter.LUNA_M_OF_N
SPLIT, JOIN, LET_GO, REPLACE = (
    "lunacm:> partition clone -objects {handles} -slot {quorum_slot}",
    "lunacm:> role login -name Crypto Officer   ({threshold} of {count} present their keys for {label})",
    "cmu delete -slot {broker_slot} -handle {handle}",
    "lunacm:> role changepw -name Crypto Officer -old -new   (generation {generation})",
)


class Guarded:
    """A token whose profile says ``luna-m-of-n``; in all else the token itself."""

    def __init__(self, token: Token, adapter: QuorumAdapter = LUNA) -> None:
        self._token, self._adapter = token, adapter

    @property
    def profile(self) -> Profile:
        own = self._token.profile
        commands = {"split": (SPLIT,), "join": (JOIN,), "let_go": (LET_GO,), "replace": (REPLACE,)}
        return replace(own, quorum=own.quorum.model_copy(update={"adapter": self._adapter, **commands, "tried": False}))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._token, name)


@dataclass
class ByModule(Rehearsed):
    """``lazy``: in which states of the key the tool shows something, and people did not do it."""

    adapter: QuorumAdapter = LUNA
    lazy: set[KeyState] = field(default_factory=set)
    halls: list[Hall] = field(default_factory=list)

    @contextmanager
    def hall(self, given: Path) -> Iterator[Hall]:
        with super().hall(given) as hall:
            guarded = replace(hall, token=cast("Token", Guarded(hall.token, self.adapter)))
            self.halls.append(guarded)
            yield guarded

    def usual(self, given: Path) -> dict[str, Answer | list[Answer]]:
        custodians: list[Answer] = [f"custodian-{number}" for number in range(1, 17)]
        own: dict[str, Answer | list[Answer]] = {
            "What did the tool show": self._shown,
            "What does custodian": lambda question: f"PED key {question.split()[2][-1]}, {given.name}",
            "Where is copy": lambda question: f"partition {question.split()[3]}",
            "Who presents a card": custodians,
            "card shown or lost": "shown",
            "Old: ": "destroyed",
        }
        return {**own, **super().usual(given)}

    def plan(self, kind: CeremonyKind, name: str, change: Any = lambda plan: plan) -> PlanFile:
        return by_luna(super().plan(kind, name, change).plan)

    def _shown(self, question: str) -> str:
        label = KeyLabel(question.removeprefix("What did the tool show for ").removesuffix("?"))
        tool(self.halls[-1], self.directory / f"{label}.partition", label, lazy=self.lazy)
        return str(self.directory / f"{label}.partition")


def by_luna(plan: Plan) -> PlanFile:
    """The same plan, by the module's own quorum, with the steps of that."""
    if plan.split is not None:
        terms = SplitTerms.model_validate({**plan.split.model_dump(), "mechanism": LUNA.value})
        plan = plan.model_copy(update={"split": terms})
    return written(plan.model_copy(update={"steps": tuple(step.told for step in procedure(plan))}))


def tool(hall: Hall, partition: Path, label: KeyLabel, *, lazy: set[KeyState]) -> None:
    """What people do with the maker's tool; ``partition`` is the quorum's copy."""
    key = hall.line.register.refresh().keys[label]
    policy, token = hall.line.policies[key.purpose], hall.token
    if key.state in lazy:
        partition.touch()
        return
    match key.state:
        case KeyState.ACTIVE if not partition.exists():
            assert hall.officer is not None
            spki = wrapping_pair(token, PAIR) or make_wrapping_pair(token, PAIR)
            wrapped = wrap_key(token, label, policy, recipient_spki=spki, officer=hall.officer)
            partition.write_bytes(encode_wrapped_key(wrapped))
        case KeyState.COMBINED if objects_of(token, label):
            destroy_key(token, label)
        case KeyState.COMBINED:
            unwrap_key(token, read_wrapped_key(partition.read_bytes()), policy, pair=PAIR, label=label)
        case _:
            pass
