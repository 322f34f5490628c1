"""What does a step have at hand? The hall, the room, and the ceremony as the book has it."""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.ceremony.book import Held
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.plan import Plan
from keybroker.ceremony.room import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """``held`` was read after the step was begun."""

    hall: Hall
    room: Room
    held: Held

    @property
    def plan(self) -> Plan:
        return self.held.plan_file.plan

    def refuse(self, offered: str, by: str, flaw: str, sentence: str) -> None:
        """What somebody brought does not do, and is asked for again; of that there is a record. Raises: LedgerFault."""
        self.hall.book.refuse(self.plan.name, offered, by, flaw, sentence, self.hall.now())
