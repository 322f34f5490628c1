"""With what does one person sign, and open what was sealed for him? Files, for rehearsal, or a token of his own.

``file_key.py`` and ``token_key.py`` are the two kinds. A wrong PIN or passphrase ends nobody's ceremony: it is a
refusal of its own, tried again a few times (``in_few_tries``), and the room goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from keybroker.hsm.person_token import Tries
from keybroker.hsm.pin import PinWrong

Now = Callable[[], datetime]
TRIES = 3
"""At one prompt, by one person; the token counts besides, and may lock earlier."""

_Done = TypeVar("_Done")


class PersonKey(Protocol):
    """One person's keys. ``certificate`` (P-256) and ``receiving_certificate`` (RSA-3072) in DER."""

    @property
    def name(self) -> str: ...

    @property
    def certificate(self) -> bytes: ...

    @property
    def receiving_certificate(self) -> bytes | None:
        """None for a person who receives nothing."""
        ...

    def sign(self, octets: bytes) -> bytes:
        """The whole SignedData over these octets. Raises: PersonPinWrong; ModuleFault, ConfigurationInvalid."""
        ...

    def open(self, der: bytes) -> bytes:
        """What is sealed in this AuthEnvelopedData. Raises: CmsUnfit; as ``sign``."""
        ...

    def hand_over(self, der: bytes, certificate: bytes) -> bytes:
        """What is sealed in this AuthEnvelopedData, sealed anew for the holder of this certificate (DER). What a token
        opens is not seen by this process. Raises: as ``open``."""
        ...


class PersonPinWrong(PinWrong):
    """A person's token or key file refused PIN or passphrase. ``tries``: what the token says of those that are left."""

    reason = "PERSON_PIN_WRONG"

    def __init__(self, sentence: str, *, tries: Tries) -> None:
        super().__init__(sentence)
        self.tries = tries


def in_few_tries(use: Callable[[], _Done], told: Callable[[PersonPinWrong, int], None]) -> _Done:
    """What ``use`` gives, which asks for the PIN each time; ``told`` hears of each refusal and how many tries are left.

    Nobody is led on to the token's last try: whoever locks a token with it loses what only it opens. Raises:
    PersonPinWrong when no try is left.
    """
    for left in reversed(range(TRIES)):
        try:
            return use()
        except PersonPinWrong as wrong:
            more = 0 if wrong.tries in {Tries.FINAL, Tries.LOCKED} else left
            told(wrong, more)
            if not more:
                raise
    raise AssertionError("the last try returns or raises")
