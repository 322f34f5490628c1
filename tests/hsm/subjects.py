"""What the contract suite tests: a module, and how its keys are made, good and bad."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from keybroker.hsm.attributes import AttributeValue, KeyAttribute, key_identifier, template
from keybroker.hsm.generate import generate_key
from keybroker.hsm.module import CryptographicModule
from keybroker.hsm.token_module import Token
from keybroker.terms import KeyAlgorithm, KeyLabel, KeyPurpose
from tests.fakes import FakeModule
from tests.situations import a_policy


class Subject(Protocol):
    @property
    def module(self) -> CryptographicModule: ...

    @property
    def keeps_anchor(self) -> bool: ...

    def make_key(self, label: str) -> bytes: ...

    def make_key_for(self, label: str, purpose: KeyPurpose) -> bytes:
        """A key in use for this purpose; gives what names it in the register."""
        ...

    def make_weak_key(self, label: str) -> bytes: ...

    def make_twin(self, label: str) -> bytes:
        """A further key of a label that is taken, as somebody else's tool would make it."""
        ...


@dataclass(frozen=True, slots=True)
class FakeSubject:
    module: FakeModule
    keeps_anchor: bool = True

    def make_key(self, label: str) -> bytes:
        return self.module.generate(label)

    def make_key_for(self, label: str, purpose: KeyPurpose) -> bytes:
        if a_policy(purpose).algorithm is KeyAlgorithm.AES_GCM:
            return self.module.add_secret(label, secrets.token_bytes(16), authentication=secrets.token_bytes(16))
        return self.module.generate(label)

    def make_weak_key(self, label: str) -> bytes:
        return self.module.generate(label, weak=True)

    def make_twin(self, label: str) -> bytes:
        return self.module.generate(label)


@dataclass(frozen=True, slots=True)
class TokenSubject:
    module: Token

    @property
    def keeps_anchor(self) -> bool:
        return self.module.keeps_anchor

    def make_key(self, label: str) -> bytes:
        return generate_key(self.module, KeyLabel(label), a_policy())

    def make_key_for(self, label: str, purpose: KeyPurpose) -> bytes:
        policy = a_policy(purpose)
        authentication = policy.algorithm is KeyAlgorithm.AES_GCM and self.module.profile.objects.data
        return generate_key(self.module, KeyLabel(label), policy, signs_request=False, authentication=authentication)

    def make_weak_key(self, label: str) -> bytes:
        return self.make_with(label, {KeyAttribute.DERIVE: True})

    def make_twin(self, label: str) -> bytes:
        return self.make_with(label, {})

    def make_with(
        self,
        label: str,
        changes: Mapping[KeyAttribute, AttributeValue],
        *,
        purpose: KeyPurpose = KeyPurpose.SUPPLIER_PRE_COMMAND,
        identifier: bytes | None = None,
    ) -> bytes:
        """A key past ``generate_key``, with other attributes or another CKA_ID than the purpose demands."""
        attributes = {**template(a_policy(purpose), self.module.profile.keeping), **changes}
        with self.module.exclusively() as connection:
            return connection.generate_pair(label, attributes, lambda point: identifier or key_identifier(point))
