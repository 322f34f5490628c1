"""A back-up taken while the broker serves, put back and restored: nothing that was spent comes back to life."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybroker.gates import open_gates
from keybroker.keys.standing import read_standing
from keybroker.ledger import audit
from keybroker.statement.flaw import Flaw
from keybroker.statement.kind import StatementKind
from keybroker.statement.statement import read_statement
from tests import evidence
from tests.attacks.test_rollback import Place, sign, state_anew, why_not
from tests.cli.command import a_deployment, run, run_json
from tests.gates import checks
from tests.keys.restoring import orders, put_back, start
from tests.ledger import backups, books
from tests.ledger.books import a_request
from tests.ledger.claims import asking, increasing, limited, spent, succeed, taken
from tests.ledger.kept_evidence import Kept
from tests.server.broker import running
from tests.situations import AT, ORIGIN, a_decision, evidence_of


@pytest.fixture(scope="module")
def recipient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of somebody with a receiving key."""
    directory = tmp_path_factory.mktemp("recipient") / "ada"
    run_json("custodian", "enrol", "ada", "--test-files", directory)
    return directory


@pytest.mark.hsm
def test_taken_while_the_broker_serves_it_is_put_back_on_another_day_by_two_people(
    tmp_path: Path, recipient: Path
) -> None:
    place = Place(a_deployment(tmp_path / "deployment"))
    back_up, receiving = tmp_path / "back-up", ("--certificate", recipient / "receiving.pem")
    with running(place.deployment) as broker:
        sign(broker, "a")
        done = run("ledger", "backup", "-o", back_up, "--to", recipient / "receiving.pem", *place.on)
        assert done.returncode == 0, done.stderr
        sign(broker, "b")
    # 1. Its recipient opens it elsewhere; the operator puts it in its place.
    (own,) = recipient.glob("receiving*.key")
    keys = (*receiving, "--key", own)
    done = run("ledger", "open-backup", back_up, *keys, "-o", tmp_path / "opened")
    assert done.returncode == 0, done.stderr
    place.put_back(tmp_path / "opened")
    place.does_not_start("rolled back")
    # 2. Two people restore it.
    target = str(place.show()["target"])
    done = place.restore(*(place.order(number, target, f"order-{number}") for number in (0, 1)))
    assert done.returncode == 0, done.stderr
    place.verify()
    # 3. What was stated before counts no more: neither a new request nor one of the lost part is served by it.
    with running(place.deployment) as broker:
        assert why_not(broker, "b").endswith("_NOT_SHOWN")
        assert why_not(broker, "c").endswith("_NOT_SHOWN")
    state_anew(place.deployment)
    place.serve("d")
    place.verify()


def test_what_was_spent_after_it_is_refused_when_it_is_restored(tmp_path: Path) -> None:
    """A Supply Sensitive Check with its request, an approval's uses, a CRL number."""
    content = checks.a_pre_command()
    check = checks.a_check(content, chain=checks.through((checks.CHECK, checks.CALLER, evidence.NODE.name)))
    decision = a_decision(content=content)
    checked = a_request("checked", open_gates(decision, evidence_of(decision.key), (check,)))
    with books.a_book(tmp_path) as journal:
        Kept(journal).enrol()
        start(journal)
        succeed(journal, *taken(journal, asking("first", limited(3))))
        succeed(journal, *taken(journal, asking("crl-8", increasing(8))))
        backups.made(journal, tmp_path / "back-up")
        books.sign(journal, checked)
        for name in ("second", "third"):
            succeed(journal, *taken(journal, asking(name, limited(3))))
        succeed(journal, *taken(journal, asking("crl-9", increasing(9))))
        # As the original has it: each is spent, and the request is given its own again alone.
        spent(journal, asking("fourth", limited(3)))
        spent(journal, asking("crl-9-again", increasing(9)))
        remembered = journal.head(AT)
    with put_back(backups.opened(tmp_path / "back-up", tmp_path / "opened"), remembered) as stage:
        stage.restore(*orders(stage.behind))
        spent(stage.journal, asking("third", limited(3)))
        for number in (9, 10):
            spent(stage.journal, asking(f"crl-{number}", increasing(number)))
        with stage.journal.ledger.read() as connection:
            standing = read_standing(connection)
        kind = StatementKind.SUPPLY_SENSITIVE_CHECK
        held = read_statement(check, standing.attesters, kind=kind, origin=ORIGIN, at=AT)
        void = standing.why_void(held, AT)
        assert void is not None
        assert void.flaw is Flaw.BEFORE_RESTORE
        audit.verify(stage.journal.ledger, AT)
