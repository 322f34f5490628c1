"""Intents and outcomes, idempotency, counters, closing: what the journal refuses, and what it writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from keybroker.errors import LedgerBroken, ModuleBusy, ModuleUnavailable, NotPermitted, OutcomeUnknown, RequestRepeated
from keybroker.ledger import audit, canonical_json, record
from keybroker.ledger.journal import Journal, RegisterMoved
from keybroker.ledger.merkle import leaf_hash
from keybroker.ledger.model import Concluded, Entry, Failure, GivenAgain, Intent, RecordKind, Refused
from keybroker.terms import KeyPurpose, PartyName
from tests.ledger import books
from tests.ledger.books import a_permit, a_request, intend, intends, sign, signature_for
from tests.situations import AT, a_caller


def body_at(journal: Journal, index: int) -> dict[str, Any]:
    stored = journal.find(index)
    assert stored is not None
    assert stored.leaf_hash == leaf_hash(stored.octets)
    return canonical_json.decode(stored.octets)


# ---- refusals


def test_refuses_the_same_id_with_another_request(journal: Journal) -> None:
    sign(journal, a_request("r"))
    (answer,) = intend(journal, a_request("r", sha256=bytes(32)))
    assert isinstance(answer, Refused)
    assert isinstance(answer.error, RequestRepeated)
    assert "another request" in answer.error.sentence


def test_refuses_the_same_id_from_another_caller(journal: Journal) -> None:
    sign(journal, a_request("r"))
    (answer,) = intend(journal, a_request("r", caller=replace(a_caller(), identity="uri:urn:other")))
    assert isinstance(answer, Refused)
    assert isinstance(answer.error, RequestRepeated)
    assert "another caller" in answer.error.sentence


def test_refuses_another_request_under_the_id_of_one_that_failed(journal: Journal) -> None:
    (intent,) = intends(journal, a_request("r"))
    journal.conclude([Failure(intent=intent, error=ModuleBusy("busy"), module_serial="1")], at=AT)
    (answer,) = intend(journal, a_request("r", sha256=bytes(32)))
    assert isinstance(answer, Refused)
    assert isinstance(answer.error, RequestRepeated)


def test_says_unknown_while_the_same_request_is_in_progress(journal: Journal) -> None:
    intends(journal, a_request("r"))
    (answer,) = intend(journal, a_request("r"))
    assert isinstance(answer, Refused)
    assert isinstance(answer.error, OutcomeUnknown)


def test_judges_repetitions_within_one_batch_too(journal: Journal) -> None:
    first, same, other = intend(journal, a_request("r"), a_request("r"), a_request("r", sha256=bytes(32)))
    assert isinstance(first, Intent)
    assert isinstance(same, Refused)
    assert isinstance(same.error, OutcomeUnknown)
    assert isinstance(other, Refused)
    assert isinstance(other.error, RequestRepeated)


def test_writes_nothing_when_the_register_has_moved(journal: Journal) -> None:
    before = journal.head(AT)
    with pytest.raises(RegisterMoved):
        journal.intend([a_request("r")], register_version=1, at=AT)
    assert journal.head(AT) == before
    sign(journal, a_request("r"))


@pytest.mark.parametrize("worker", ["", "../x", "A", "a b", "w" * 64])
def test_refuses_a_worker_whose_name_is_no_file_name(journal: Journal, worker: str) -> None:
    with pytest.raises(ValueError, match="name"):
        books.a_journal(journal.ledger, worker)


def test_records_a_refusal_with_its_findings(journal: Journal) -> None:
    refused = books.a_refused("r", NotPermitted("no"))
    assert intend(journal, refused) == [refused]
    body = body_at(journal, 1)
    assert (body["kind"], body["reason"], body["request_id"]) == ("refusal", "NOT_PERMITTED", "r")
    # A refusal takes no name: the request is judged anew.
    assert isinstance(intend(journal, a_request("r"))[0], Intent)


def test_does_not_give_again_a_signature_whose_record_was_changed(journal: Journal) -> None:
    (concluded,) = sign(journal, a_request("r"))
    index = concluded.receipt.leaf_index
    with journal.ledger._engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE record SET octets = x'7b7d' WHERE leaf_index = {index}")  # noqa: S608
    with pytest.raises(LedgerBroken, match="not as it was recorded"):
        intend(journal, a_request("r"))
    with pytest.raises(LedgerBroken, match="not the one"):
        journal.find(index)


def test_does_not_give_again_what_is_no_result(journal: Journal) -> None:
    (concluded,) = sign(journal, a_request("r"))
    index = concluded.receipt.leaf_index
    with journal.ledger._engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE request SET outcome_index = 0 WHERE outcome_index = {index}")  # noqa: S608
    with pytest.raises(LedgerBroken, match="holds no result"):
        intend(journal, a_request("r"))


# ---- acceptance


def test_writes_an_intent_with_everything_an_auditor_asks(journal: Journal) -> None:
    identity, permit = a_request("r")
    (intent,) = intends(journal, (identity, permit))
    content = permit.decision.content
    body = body_at(journal, intent.receipt.leaf_index)
    assert body == {
        "at": record.moment(AT),
        "caller": {"identity": identity.caller.identity, "kind": "user-system", "system": "head-end"},
        "content": record.content_facts(content),
        "counted": [[each.name, each.period_seconds, 1, each.quarantine] for each in permit.counts],
        "deployment": "test",
        "digest": sha256(content.octets[1:]).hexdigest(),
        "findings": [[it.rule, it.clause, it.found][: 3 if it.found else 2] for it in permit.findings],
        "in_force": {
            "configuration": "01" * 32,
            "policy": permit.decision.policy.sha256.hex(),
            "profile": "02" * 32,
        },
        "key": "supplier-a",
        "kind": "intent",
        "octets": sha256(content.octets).hexdigest(),
        "operation": "SignPreCommand",
        "party": "supplier-a",
        "public_key": permit.decision.key.public_key.hex(),
        "purpose": "supplier-pre-command",
        "request": identity.sha256.hex(),
        "request_id": "r",
        "reused": 0,
        "v": 1,
        "worker": journal.worker,
    }
    assert intent.digest.hex() == body["digest"]
    assert audit.find_octets(journal.ledger, intent.receipt.leaf_index) == content.octets


def test_writes_the_signature_into_the_outcome(journal: Journal) -> None:
    (concluded,) = sign(journal, a_request("r"))
    body = body_at(journal, concluded.receipt.leaf_index)
    assert body["intent"] == concluded.intent.receipt.leaf_index
    assert body["state"] == "signed"
    assert body["signature"] == concluded.signature.hex()
    assert body["module"] == books.SERIAL


def test_gives_a_recorded_signature_again_and_records_that(journal: Journal) -> None:
    (concluded,) = sign(journal, a_request("r"))
    (again,) = intend(journal, a_request("r"))
    assert isinstance(again, GivenAgain)
    assert again.signature == concluded.signature
    assert again.first == concluded.receipt
    body = body_at(journal, again.receipt.leaf_index)
    assert (body["kind"], body["outcome"]) == ("release", concluded.receipt.leaf_index)


@pytest.mark.parametrize("error", [ModuleBusy("busy"), ModuleUnavailable("away", used=True)])
def test_judges_anew_what_failed_or_stayed_unknown(journal: Journal, error: ModuleBusy) -> None:
    (intent,) = intends(journal, a_request("r"))
    journal.conclude([Failure(intent=intent, error=error, module_serial="1")], at=AT)
    (concluded,) = sign(journal, a_request("r"))
    # What the first one spent stays spent.
    assert concluded.reused == 1
    audit.verify(journal.ledger, AT)


def test_counts_uses_of_one_counter_and_does_not_refuse_them(journal: Journal) -> None:
    first = sign(journal, a_request("a", a_permit(5)), a_request("b", a_permit(5)), a_request("c", a_permit(6)))
    second = sign(journal, a_request("d", a_permit(5)))
    assert [it.reused for it in [*first, *second]] == [0, 1, 0, 2]
    assert body_at(journal, second[0].intent.receipt.leaf_index)["reused"] == 2
    audit.verify(journal.ledger, AT)


def test_keeps_no_octets_of_a_contingency_command(journal: Journal) -> None:
    permit = a_permit(1, KeyPurpose.CONTINGENCY_COMMAND)
    (concluded,) = sign(journal, a_request("r", permit))
    assert audit.find_octets(journal.ledger, concluded.intent.receipt.leaf_index) is None
    audit.verify(journal.ledger, AT)


def test_signs_a_checkpoint_which_uses_no_counter(journal: Journal) -> None:
    permit = books.a_checkpoint(journal)
    (concluded,) = sign(journal, a_request("r", permit))
    assert concluded.reused == 0
    assert concluded.intent.digest == sha256(permit.decision.content.octets).digest()
    audit.verify(journal.ledger, AT)


def test_keeps_answers_in_the_order_of_the_batch(journal: Journal) -> None:
    sign(journal, a_request("b"))
    refused = books.a_refused("x", NotPermitted("no"))
    answers = intend(journal, a_request("a"), refused, a_request("b"), a_request("c"))
    assert [type(answer) for answer in answers] == [Intent, Refused, GivenAgain, Intent]
    indexes = [answer.receipt.leaf_index for answer in answers if not isinstance(answer, Refused)]
    assert indexes == sorted(indexes)


def test_an_intent_is_spent_once(journal: Journal) -> None:
    (intent,) = intends(journal, a_request("r"))
    assert intent.spend() is intent.permit
    with pytest.raises(RuntimeError):
        intent.spend()


def test_writes_reads_and_acts(journal: Journal) -> None:
    entry = Entry(kind=RecordKind.READ, party=PartyName("supplier-a"), body={"operation": "ListKeys", "page": 1})
    (receipt,) = journal.write([entry], at=AT)
    stored = journal.find(receipt.leaf_index)
    assert stored is not None
    assert (stored.kind, stored.party) == ("read", "supplier-a")
    body = body_at(journal, receipt.leaf_index)
    assert body["body"] == {"operation": "ListKeys", "page": 1}
    assert body["in_force"]["policies"] == {"supplier-pre-command": "03" * 32}
    audit.verify(journal.ledger, AT)


@pytest.mark.parametrize("index", [-1, 99, 2**70])
def test_finds_nothing_where_the_tree_does_not_reach(journal: Journal, index: int) -> None:
    assert journal.find(index) is None


def test_forgets_old_request_ids_but_no_open_ones(journal: Journal) -> None:
    sign(journal, a_request("r"))
    intends(journal, a_request("open"))
    assert journal.forget_requests(AT) == 0
    assert journal.forget_requests(AT + timedelta(days=1)) == 1
    assert isinstance(intend(journal, a_request("r"))[0], Intent)
    audit.verify(journal.ledger, AT)


def test_erases_octets_and_the_tree_still_verifies(journal: Journal) -> None:
    (concluded,) = sign(journal, a_request("r"))
    content = concluded.intent.permit.decision.content
    assert audit.erase_octets(journal.ledger, sha256(content.octets).digest()) == 1
    assert audit.find_octets(journal.ledger, concluded.intent.receipt.leaf_index) is None
    assert audit.verify(journal.ledger, AT).signatures == 1


# ---- closing


def test_closes_only_what_dead_workers_left_open(tmp_path: Path, journal: Journal) -> None:
    (living,) = intends(journal, a_request("living"))
    dead = books.a_journal(journal.ledger, "worker-1")
    (orphan,) = intends(dead, a_request("orphan", a_permit(2)))
    assert journal.close_open_intents(AT) == []
    dead.close()
    successor = books.a_journal(journal.ledger, "worker-1")
    (receipt,) = successor.close_open_intents(AT)
    body = body_at(journal, receipt.leaf_index)
    assert (body["kind"], body["intent"], body["state"]) == ("closed", orphan.receipt.leaf_index, "unknown")
    assert body["died"] == dead.worker
    assert isinstance(journal.conclude([signature_for(living)], at=AT)[0], Concluded)
    # The dead one's signature comes too late: unknown it stays, and the request is judged anew.
    (late,) = dead.conclude([signature_for(orphan)], at=AT)
    assert isinstance(late, OutcomeUnknown)
    assert isinstance(intend(successor, a_request("orphan", a_permit(2)))[0], Intent)
    successor.close()
    audit.verify(journal.ledger, AT)
    assert len(list(tmp_path.glob("*.worker.*"))) == 2


def test_says_unknown_of_an_intent_that_the_ledger_does_not_know(journal: Journal) -> None:
    (intent,) = intends(journal, a_request("r"))
    with journal.ledger._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM request")
    assert isinstance(journal.conclude([signature_for(intent)], at=AT)[0], OutcomeUnknown)
