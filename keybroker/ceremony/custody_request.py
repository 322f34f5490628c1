"""What is asked of the process in which a key is split and joined, and what does it answer? JSON, one line each.

Whatever is secret in a line is sealed to the process's own certificate, which it makes when it begins and which ends
with it: parts of a split key come so, and the wrapping key leaves so, to the module's own pair. Octets are hexadecimal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keybroker.hsm.wrap_mechanism import WrapMechanism

Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$", max_length=4 * 1024 * 1024)]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=255)]
_Oaep = Annotated[WrapMechanism, Field(strict=False)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class OfferedAs(StrEnum):
    """What a custodian hands in: the share as it was in its envelope, or its words as they stand on paper."""

    SHARE = "share"
    WORDS = "words"


class Recipient(_Form):
    """A custodian, and his receiving certificate (DER)."""

    custodian: _Word
    certificate: Hex


class Split(_Form):
    """Share the wrapping key that is ``wrapped`` to this process, among the recipients in their order; the rest stands
    in the set (``share_set.ShareSet``)."""

    do: Literal["split"] = "split"
    wrapped: Hex
    oaep: _Oaep
    threshold: int
    recipients: list[Recipient]
    ceremony: _Word
    key: _Word
    purpose: _Word
    public_key_sha256: _Word
    generation: int
    blobs: list[_Word]


class Expect(_Form):
    """The set whose shares are handed in from now on, and those that the key was split into before; each in canonical
    JSON. What was handed in so far is forgotten."""

    do: Literal["expect"] = "expect"
    share_set: Hex
    older: list[Hex] = Field(default_factory=list)


class Offer(_Form):
    """What ``custodian`` hands in, sealed to this process."""

    do: Literal["offer"] = "offer"
    custodian: _Word
    offered_as: Annotated[OfferedAs, Field(strict=False)]
    sealed: Hex


class Join(_Form):
    """Join the shares of exactly these, and encipher what they give to the RSA key ``spki`` (DER)."""

    do: Literal["join"] = "join"
    custodians: list[_Word]
    spki: Hex
    oaep: _Oaep


class Print(_Form):
    """Send the share that ``custodian`` handed in to a printer, which is a device or a pipe and no file."""

    do: Literal["print"] = "print"
    custodian: _Word
    printer: _Word


class ReadBack(_Form):
    """Is what was typed from the paper, sealed to this process, the share that ``custodian`` handed in?"""

    do: Literal["read-back"] = "read-back"
    custodian: _Word
    sealed: Hex


Request = Annotated[Split | Expect | Offer | Join | Print | ReadBack, Field(discriminator="do")]


class Guarded(_Form):
    """As ``guarded_memory.Guard``; ``overwritten``: memory that is given back is overwritten first."""

    undumpable: bool
    no_core: bool
    locked: bool
    overwritten: bool


class Hello(_Form):
    """What the process says first: its certificate (DER) and what guards its memory."""

    certificate: Hex
    guarded: Guarded


class Refusing(_Form):
    """``flaw`` is empty where it is no share's; ``places`` are numbers of words."""

    sentence: str
    flaw: str = ""
    places: list[int] = Field(default_factory=list)


class Answer(_Form):
    """``share_set`` (canonical JSON) and ``envelopes`` of a split; ``index`` of the share that was offered; ``wrapped``
    is the wrapping key under the module's key. ``refused``: nothing was done."""

    share_set: Hex = ""
    envelopes: list[Hex] = Field(default_factory=list)
    index: int = 0
    wrapped: Hex = ""
    refused: Refusing | None = None
