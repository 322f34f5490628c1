"""What is asked of the process that uses a person's token, and what does it answer? JSON, read strictly on both sides.

The PIN is in neither: it comes through a file descriptor of its own, whose number the request gives. Octets are
hexadecimal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keybroker.hsm.person_token import Tries, Unwrapped

LONGEST_PIN = 255
"""Octets."""

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$", max_length=16 * 1024 * 1024)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


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


class Look(_Form):
    """Without a PIN: is the token there, and how many tries are left?"""

    doing: Literal["look"] = "look"


class Sign(_Form):
    doing: Literal["sign"] = "sign"
    key: At
    octets: Hex
    at: Annotated[datetime, Field(strict=False)]


class Open(_Form):
    """``octets`` is the envelope."""

    doing: Literal["open"] = "open"
    key: At
    octets: Hex


class HandOver(_Form):
    """Open, and seal what was in it for the holder of the certificate ``recipient`` (DER)."""

    doing: Literal["hand-over"] = "hand-over"
    key: At
    octets: Hex
    recipient: Hex


class MakeSigning(_Form):
    """A P-256 pair and its certificate, signed by itself."""

    doing: Literal["make-signing"] = "make-signing"
    key: At
    subject: Subject


class MakeReceiving(_Form):
    """An RSA-3072 pair and its certificate, signed by the person's ``signing`` key."""

    doing: Literal["make-receiving"] = "make-receiving"
    key: At
    signing: At
    subject: Subject


class Destroy(_Form):
    """Every object of this label; none is done already."""

    doing: Literal["destroy"] = "destroy"
    label: Word


Task = Sign | Open | HandOver | MakeSigning | MakeReceiving | Destroy
"""What the process does once it is logged in."""


class Request(_Form):
    """The PIN comes through ``pin_descriptor``, if one is needed and the token has no pad."""

    place: Place
    pin_descriptor: Annotated[int, Field(ge=3)]
    task: Annotated[Look | Task, Field(discriminator="doing")]


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
