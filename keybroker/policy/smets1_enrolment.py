"""What is enrolled of a SMETS1 key and its Device? SEC G2.44A(b), (c): by the policy's dated lists, or by statements.

Which Device a key was made for, of which Category that Device is, and whether the key lives for one Application
Association. A statement counts while it is in force, and a newer one about the same Device or key takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from keybroker.clause import clause
from keybroker.policy.model import RegisteredKey
from keybroker.policy.settings import Smets1Settings
from keybroker.policy.stated import newest_in_force
from keybroker.statement.payloads import ApplicationAssociation, DeviceCategory
from keybroker.statement.standing import Standing
from keybroker.terms import EntityIdentifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What policy and statements say of one key at one moment. Where both name its Device, the policy does."""

    key: RegisteredKey
    settings: Smets1Settings
    standing: Standing
    at: datetime

    @property
    def device(self) -> str:
        """The EUI of the Device that the key was made for, as DUIS writes it; empty where none is enrolled."""
        listed = self.settings.device_of(self.key.label)
        if listed:
            return listed
        stated = newest_in_force(self.standing, ApplicationAssociation, self._is_of_key, self.at)
        return "" if stated is None else stated[1].device

    def is_for(self, device: EntityIdentifier) -> bool:
        """Was the key made for this Device?"""
        return self.device == str(device)

    @clause("G2.44A(b)", "G2.44A(c)")
    def category(self, number: Literal[1, 2]) -> str:
        """Why the key's Device is of this Category: the list's date, or the statement; empty where it is not."""
        listed = self.settings.category_1 if number == 1 else self.settings.category_2
        device = self.device
        if device in listed and self._is_dated:
            return self._as_of
        stated = newest_in_force(self.standing, DeviceCategory, lambda said: device in said.devices, self.at)
        return f", {stated[0].told()}" if stated is not None and stated[1].category == number else ""

    @clause("G2.44A(c)")
    def one_association(self) -> str:
        """Why the key is valid for one Application Association alone, as above."""
        if self.key.label in self.settings.single_association_keys and self._is_dated:
            return self._as_of
        stated = newest_in_force(self.standing, ApplicationAssociation, self._is_of_key, self.at)
        return f", {stated[0].told()}" if stated is not None and stated[1].device == self.device else ""

    def _is_of_key(self, said: ApplicationAssociation) -> bool:
        return said.key == self.key.label

    @property
    def _is_dated(self) -> bool:
        as_of = self.settings.categories_as_of
        return as_of is not None and as_of <= self.at

    @property
    def _as_of(self) -> str:
        return f" as of {self.settings.categories_as_of:%Y-%m-%d}"
