"""The quick way to an intent record gives the same octets as the plain one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from keybroker.ledger import canonical_json, record
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.intent_form import IntentForms
from keybroker.ledger.record import Takes
from keybroker.terms import DeploymentKind, KeyPurpose, RequestId
from tests import situations
from tests.ledger import books

WRITER = record.Writer(deployment=DeploymentKind.TEST, in_force=books.IN_FORCE, worker="worker-0.abc")
FORMS = IntentForms(WRITER)
PURPOSES = st.sampled_from(situations.COMMAND_PURPOSES)


@given(
    purpose=PURPOSES,
    counter=st.integers(1, 2**64 - 1),
    request_id=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128),
    reused=st.integers(0, 2**31),
)
def test_a_form_filled_in_equals_the_record_encoded_whole(
    purpose: KeyPurpose, counter: int, request_id: str, reused: int
) -> None:
    permit = situations.a_permit(purpose, content=situations.a_content(purpose, counter=counter))
    identity, _ = books.a_request("r", permit, request_id=RequestId(request_id))
    filled = {
        "octets": "0a" * 32,
        "digest": permit.decision.content.sha256.hex(),
        "reused": reused,
        "at": "2026-01-01T00:00:00.000000Z",
    }
    whole = canonical_json.encode(WRITER.intent(identity, permit, **filled))  # type: ignore[arg-type]  # one mapping of both kinds
    assert FORMS.encode(identity, permit, **filled) == whole  # type: ignore[arg-type]
    assert canonical_json.decode(whole)


@given(
    purpose=PURPOSES,
    counter=st.integers(1, 2**64 - 1),
    names=st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=4),
    number=st.integers(1, 10**9),
)
def test_a_form_of_what_counts_equals_the_record_encoded_whole(
    purpose: KeyPurpose, counter: int, names: list[str], number: int
) -> None:
    permit = situations.a_permit(purpose, content=situations.a_content(purpose, counter=counter))
    # What takes something is written whole.
    permit = replace(permit, claims=())
    identity, _ = books.a_request("r", permit)
    counted: list[Json] = [[name, 3_600, number, number] for name in names]
    filled: dict[str, Any] = {"octets": "0a" * 32, "digest": "0b" * 32, "at": "2026-01-01T00:00:00.000000Z"}
    whole = canonical_json.encode(WRITER.intent(identity, permit, reused=0, takes=Takes(counted=counted), **filled))
    assert FORMS.encode(identity, permit, reused=0, takes=Takes(counted=counted), **filled) == whole
    halves = FORMS.halves(identity, permit, **filled)
    assert halves is not None
    assert canonical_json.text(counted).encode().join(halves) == whole


def test_what_warns_or_was_released_is_written_whole() -> None:
    permit = books.a_permit()
    identity, _ = books.a_request("r", permit)
    counted: list[Json] = [["a name", 60, 2, 1]]
    takes = Takes(counted=counted, warned=["a name"], released=7)
    body = canonical_json.decode(FORMS.encode(identity, permit, octets="", digest="", reused=0, at="", takes=takes))
    assert (body["counted"], body["warned"], body["released"]) == (counted, ["a name"], 7)


def test_a_form_is_cut_anew_when_anything_that_it_was_made_from_changes() -> None:
    permit = books.a_permit()
    identity, _ = books.a_request("r", permit)
    filled: dict[str, Any] = {"octets": "", "digest": "", "at": ""}
    FORMS.encode(identity, permit, reused=0, **filled)
    changed = replace(permit, findings=(*permit.findings[:-1], replace(permit.findings[-1], found="otherwise")))
    assert b"otherwise" in FORMS.encode(identity, changed, reused=0, **filled)
    system = replace(identity, caller=replace(identity.caller, system="other"))  # type: ignore[arg-type]
    assert b'"other"' in FORMS.encode(system, permit, reused=0, **filled)
