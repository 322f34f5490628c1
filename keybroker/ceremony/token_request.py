"""What is asked of the process that uses a person's token, and what does it answer? JSON, read strictly on both sides.

The PIN is in neither: it comes through a file descriptor of its own, whose number the request gives. Octets are
hexadecimal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keybroker.hsm.person_token import Tries, Unwrapped

LONGEST_PIN = 255
"""Octets."""

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$", max_length=16 * 1024 * 1024)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Doing(StrEnum):
    """What the process does, once."""

    LOOK = "look"
    """Without a PIN: is the token there, and how many tries are left?"""
    SIGN = "sign"
    OPEN = "open"
    HAND_OVER = "hand-over"
    """Open, and seal what was in it to ``recipient``."""
    MAKE_SIGNING = "make-signing"
    """A P-256 pair and its certificate, signed by itself."""
    MAKE_RECEIVING = "make-receiving"
    """An RSA-3072 pair and its certificate, signed by the person's signing key."""
    DESTROY = "destroy"


class Place(_Form):
    """The token: found by ``label`` and ``serial``, exactly one. ``environment`` is set for the process alone,
    ``parameters`` is what C_Initialize is given (NSS)."""

    library: Word
    label: Word
    serial: Word
    parameters: str = ""
    environment: Mapping[Word, str] = Field(default_factory=dict)


class At(_Form):
    """CKA_LABEL and CKA_ID of a key and its certificate, which is ``certificate`` (empty while it is made)."""

    label: Word
    identifier: Hex
    certificate: Hex = ""


class Subject(_Form):
    """Of a certificate that is made: the person's name and how long it is valid."""

    name: Word
    since: Annotated[datetime, Field(strict=False)]
    until: Annotated[datetime, Field(strict=False)]


class Request(_Form):
    """``key`` is used or made; ``signing`` is the key that signs the certificate of a receiving key. ``octets`` is what
    is signed, or the envelope; ``recipient`` the certificate (DER) for whose holder it is sealed anew.
    ``pin_descriptor`` is None where no PIN is needed, or the token has a pad."""

    doing: Annotated[Doing, Field(strict=False)]
    place: Place
    pin_descriptor: Annotated[int, Field(ge=3)] | None = None
    key: At | None = None
    signing: At | None = None
    octets: Hex = ""
    recipient: Hex = ""
    at: Annotated[datetime, Field(strict=False)] | None = None
    subject: Subject | None = None


class Guarded(_Form):
    """As ``guarded_memory.Guard``."""

    undumpable: bool
    no_core: bool
    locked: bool


class Refusing(_Form):
    """``reason`` is that of the error as which the caller raises it."""

    reason: Word
    sentence: str


class Answer(_Form):
    """``octets``: the SignedData, what was sealed, or the certificate. ``refused``: nothing was done."""

    guarded: Guarded
    tries: Annotated[Tries, Field(strict=False)] = Tries.ENOUGH
    has_pad: bool = False
    octets: Hex = Field(default="", repr=False)
    unwrapped: Annotated[Unwrapped, Field(strict=False)] | None = None
    refused: Refusing | None = None
