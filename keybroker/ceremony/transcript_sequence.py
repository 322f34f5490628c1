"""Where does each step stand in the drawing of a ceremony? Lanes for people, module and ledger; a row a step. Pure.

The drawing says by form alone what it says: a disc for who signed, a square where the module did something, a lozenge
for what cannot be undone, a dashed row for what was not done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from keybroker.ceremony.entry import Entry
from keybroker.ceremony.plan import Participant, Plan, Side
from keybroker.ceremony.steps import Step, StepName, followed_steps

WIDTH, ROW = 720, 30
"""Of the drawing, of a row; in its own units, about a quarter of a millimetre on paper."""
_SLANTED = (22, 5)
"""How high the lanes' names stand: something for each, and for each letter of the longest."""
_LANES, _LEDGER = (258, 612), 648
_MOST_LANES = 8
"""People beyond which the lanes are of roles."""
_LONGEST_NAME = 22

_IN_MODULE = frozenset(
    {
        StepName.CHECK_MODULE,
        StepName.MAKE_KEY,
        StepName.MAKE_REQUEST,
        StepName.MAKE_ROOT_CERTIFICATE,
        StepName.OFFER_WRAPPING_KEY,
        StepName.WRAP_KEY,
        StepName.IMPORT_KEY,
        StepName.ACTIVATE_TRANSFERRED,
        StepName.RENOUNCE,
        StepName.SETTLE_SOURCE,
        StepName.SHARE_KEY,
        StepName.TRIAL_QUORUM,
        StepName.DESTROY_IN_MODULE,
        StepName.COMBINE_AND_USE,
        StepName.LET_GO,
        StepName.RESHARE_KEY,
        StepName.COUNT_COPIES,
        StepName.DESTROY_COPIES,
        StepName.CONFIRM_DESTRUCTION,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    x: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``at`` and ``leaf_index`` are None for a step that was not concluded. ``day``: it is the first of its day."""

    y: float
    number: int
    step: StepName
    at: datetime | None
    day: bool
    leaf_index: int | None
    signed: tuple[float, ...]
    in_module: bool
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Positions in ``width`` x ``height``; the module's lane and the ledger's stand to the right of the people's."""

    head: float
    height: float
    lanes: tuple[Lane, ...]
    module: float
    rows: tuple[Row, ...]
    width: float = WIDTH
    ledger: float = _LEDGER


def draw(plan: Plan, side: Side, entries: Sequence[Entry], leaf_indexes: Sequence[int]) -> Drawing:
    """``entries`` are those concluded, each with the leaf index of its conclusion."""
    steps = followed_steps(plan, side, [entry.step for entry in entries])
    lanes, places = _lanes(plan)
    high, letter = _SLANTED
    head = high + letter * max(len(lane.name) for lane in (*lanes, Lane(x=0, name="ledger")))
    rows = []
    for number, step in enumerate(steps, start=1):
        done = number <= len(entries)
        at = entries[number - 1].at if done else None
        before = entries[number - 2].at.date() if done and number > 1 else None
        rows.append(
            Row(
                y=head + ROW * number,
                number=number,
                step=step.name,
                at=at,
                day=at is not None and at.date() != before,
                leaf_index=leaf_indexes[number - 1] if done else None,
                signed=_signed(step, plan, places),
                in_module=step.name in _IN_MODULE,
                final=bool(step.word),
            )
        )
    return Drawing(head=head, height=head + ROW * (len(steps) + 1), lanes=lanes, module=_LANES[1], rows=tuple(rows))


def _lanes(plan: Plan) -> tuple[tuple[Lane, ...], dict[str, float]]:
    """The people's lanes, or their roles' where they are many; and by each mark where it stands."""
    by_role = len(plan.people) > _MOST_LANES
    marks = list(dict.fromkeys(_mark(person, by_role) for person in plan.people))
    first, last = _LANES
    apart = (last - first) / max(len(marks), 1)
    places = {mark: first + apart * number for number, mark in enumerate(marks)}
    return tuple(Lane(x=x, name=_short(mark)) for mark, x in places.items()), places


def _mark(person: Participant, by_role: bool) -> str:
    return person.role.value if by_role else person.name


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _signed(step: Step, plan: Plan, places: dict[str, float]) -> tuple[float, ...]:
    by_role = len(plan.people) > _MOST_LANES
    signers = (person for person in plan.people if person.role in step.signed_by)
    return tuple(sorted({places[_mark(person, by_role)] for person in signers}))
