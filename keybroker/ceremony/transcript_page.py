"""What do people keep of a ceremony? Its transcript as one HTML page: to be read, printed and put away. Pure.

The page is made only of a transcript that verifies. It needs nothing else: no script, no network, no font of ours; and
it proves nothing by itself, as it says at its end: the transcript does, and the commands for it stand in the page.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files

from cryptography import x509
from jinja2 import Environment, StrictUndefined, Template

from keybroker.ceremony.digest_words import digest_words
from keybroker.ceremony.entry import Entry
from keybroker.ceremony.plan import CeremonyKind, Participant
from keybroker.ceremony.steps import own_steps
from keybroker.ceremony.transcript_approvals import approval_of
from keybroker.ceremony.transcript_form import StepForm, TranscriptForm, read_form
from keybroker.ceremony.transcript_sequence import draw
from keybroker.ceremony.transcript_verifying import Verified, verify_transcript
from keybroker.ceremony.witness_commands import stem_of, witness_commands
from keybroker.ledger.canonical_json import Json

TITLES: Mapping[CeremonyKind, str] = {
    CeremonyKind.GENERATE: "Generation of a key",
    CeremonyKind.RENEW: "Renewal of a key",
    CeremonyKind.TRANSFER: "Transfer of Secret Key Material",
    CeremonyKind.SPLIT: "Splitting of a key",
    CeremonyKind.COMBINE: "Combining and use of a split key",
    CeremonyKind.RESHARE: "New shares of a split key",
    CeremonyKind.DESTROY: "Destruction of a key",
    CeremonyKind.VERIFY_SHARES: "Verification of shares",
}
_GROUP = 8
"""Hexadecimal digits that stand together."""
_IN_A_ROW = 8
"""Words of a digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonShown:
    person: Participant
    until: datetime
    """The end of the signing certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """``signed``: name, role and when he says that he signed, in the order of the plan."""

    entry: Entry
    given: StepForm
    stem: str
    signed: tuple[tuple[str, str, datetime], ...]


def make_page(octets: bytes) -> str:
    """HTML. Raises: TranscriptUnfit."""
    verified, form = verify_transcript(octets), read_form(octets)
    steps = tuple(_shown(entry, given, verified) for entry, given in zip(verified.entries, form.steps, strict=True))
    return _template().render(
        approvals=[(each, approval_of(each)) for each in verified.approvals],
        commands=witness_commands(octets),
        drawing=draw(
            verified.plan, verified.side, verified.entries, [each.concluded.leaf_index for each in form.steps]
        ),
        form=form,
        of=len(own_steps(verified.plan, verified.side)),
        outputs=_outputs(verified),
        people=_people(form, verified),
        plan=verified.plan,
        steps=steps,
        title=TITLES[verified.plan.kind],
        transcript_sha256=sha256(octets).hexdigest(),
    )


def _shown(entry: Entry, given: StepForm, verified: Verified) -> StepShown:
    roles = {person.name: person.role.value for person in verified.plan.people}
    signed = tuple((name, roles[name], verified.signed_at[entry.number, name]) for name in entry.people)
    return StepShown(entry=entry, given=given, stem=stem_of(entry), signed=signed)


def _people(form: TranscriptForm, verified: Verified) -> tuple[PersonShown, ...]:
    certificates = [x509.load_der_x509_certificate(base64.b64decode(each.certificate)) for each in form.people]
    return tuple(
        PersonShown(person=person, until=certificate.not_valid_after_utc)
        for person, certificate in zip(verified.plan.people, certificates, strict=True)
    )


def _outputs(verified: Verified) -> Json:
    """The files that the last step named; none where it was not reached."""
    return verified.entries[-1].facts.get("outputs", []) if verified.complete else []


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"columns": columns, "groups": groups, "moment": moment, "words": words}
    environment.tests["digest"] = is_digest
    return environment.from_string(
        files("keybroker.ceremony").joinpath("transcript_page.html.j2").read_text(encoding="utf-8")
    )


def groups(text: str) -> tuple[str, ...]:
    """Hexadecimal digits as they are read aloud."""
    return tuple(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def words(digest: str) -> tuple[tuple[str, ...], ...]:
    """The words of a digest in hexadecimal, row by row."""
    said = digest_words(bytes.fromhex(digest))
    return tuple(said[start : start + _IN_A_ROW] for start in range(0, len(said), _IN_A_ROW))


def moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def is_digest(value: Json) -> bool:
    """Is it so many hexadecimal digits that they are shown in groups?"""
    return isinstance(value, str) and len(value) > 2 * _GROUP and not set(value) - set("0123456789abcdef")


def columns(value: Json) -> tuple[str, ...]:
    """The heads of a table, where a list holds objects of the same members and nothing deeper; none elsewhere."""
    if not isinstance(value, list):
        return ()
    heads = {tuple(each) if isinstance(each, dict) and each else () for each in value}
    if len(heads) != 1 or any(isinstance(item, dict | list) for each in value for item in _items(each)):
        return ()
    return heads.pop()


def _items(value: Json) -> list[Json]:
    return list(value.values()) if isinstance(value, dict) else []
