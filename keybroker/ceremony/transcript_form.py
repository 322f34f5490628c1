"""What stands in a transcript? Its published form, read strictly: ``docs/ceremonies/transcript.md``. Pure."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from keybroker.ledger.canonical_json import decode
from keybroker.statement.said import Table

FORM = "keybroker-ceremony-transcript-1"
LONGEST = 16 * 1024 * 1024
"""Octets of a transcript."""


def _one_spelling(text: str) -> str:
    if base64.b64encode(base64.b64decode(text, validate=True)).decode() != text:
        raise ValueError("expected base64 as it is written: padded, and nothing in its last bits")
    return text


Base64 = Annotated[str, StringConstraints(min_length=4), AfterValidator(_one_spelling)]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class RecordForm(Table):
    """A record of the ledger, whole."""

    leaf_hash: Hex
    leaf_index: Annotated[int, Field(ge=0)]
    octets: Base64


class StepForm(Table):
    """``entry`` is the text that was signed; ``signatures``: CMS SignedData (DER) by name."""

    begun: RecordForm
    concluded: RecordForm
    entry: str
    signatures: dict[str, Base64]


class PersonForm(Table):
    certificate: Base64
    name: str
    role: str


class ApprovalForm(Table):
    """A statement (compact JWS) and the certificate of whoever made it."""

    certificate: Base64
    statement: str


class TranscriptForm(Table):
    approvals: list[ApprovalForm]
    ceremony: str
    deployment: Literal["live", "test"]
    form: Literal["keybroker-ceremony-transcript-1"]
    ledger: str
    people: list[PersonForm]
    plan: str
    plan_sha256: Hex
    side: Literal["here", "source", "destination"]
    state: Literal["open", "done", "aborted"]
    steps: list[StepForm]


def read_form(octets: bytes) -> TranscriptForm:
    """Raises: ValueError for anything but canonical JSON of exactly this form."""
    if len(octets) > LONGEST:
        raise ValueError(f"expected at most {LONGEST} octets, found {len(octets)}")
    try:
        return TranscriptForm.model_validate(decode(octets))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:4])
        raise ValueError(told) from error


def expect(right: bool, expected: str, found: str) -> None:
    """Raises: ValueError."""
    if not right:
        raise ValueError(f"expected {expected}, found {found}")
