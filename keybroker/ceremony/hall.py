"""What does one side of a ceremony have at hand? Its line, its module, its book, its people's keys, one directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from keybroker.ceremony.book import Book
from keybroker.ceremony.person_key import PersonKey
from keybroker.ceremony.plan import Side
from keybroker.ceremony.scene import Scene
from keybroker.ceremony.scene_reading import read_scene
from keybroker.gates.people import PeopleSettings
from keybroker.hsm.security_officer import Officer
from keybroker.hsm.token_module import Token
from keybroker.ledger.durable import write_durably
from keybroker.signing import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """``directory`` holds what the ceremony gives and takes; ``keys`` are the people's own, by name.

    ``officer`` is the module's security officer, where the deployment has one at hand; ``site`` is this side's.
    """

    line: Line
    token: Token
    book: Book
    people: PeopleSettings
    keys: Mapping[str, PersonKey]
    officer: Officer | None
    directory: Path
    side: Side
    site: str
    now: Callable[[], datetime]

    def scene(self, at: datetime) -> Scene:
        """The register and the evidence as they are committed now. Raises: LedgerFault."""
        self.line.register.refresh()
        return read_scene(
            self.book.journal.ledger,
            side=self.side,
            serial=self.token.serial,
            quorum=self.token.profile.quorum.adapter,
            policies=self.line.policies,
            people=self.people,
            at=at,
        )

    def keep_head(self, at: datetime) -> None:
        """The ledger's head, in the module: no step is rolled back unnoticed. Raises: ModuleFault, LedgerFault."""
        with self.book.journal.keeping_head(at) as head:
            self.token.write_anchor(head)

    def write(self, name: str, octets: bytes) -> Path:
        """A file of the ceremony, whole or not there, and durable. Raises: LedgerUnavailable: the disk is full."""
        return write_durably(self.directory / name, octets)
