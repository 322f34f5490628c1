"""How a witness judges: C2SP's answer to everything it may be sent, and what is proof of a fork and what is none."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybroker.ledger.merkle import EMPTY_ROOT
from keybroker.ledger.note import Note, NoteSignature
from keybroker.witness.judging import Judgement, Memory, Shown, judge
from keybroker.witness.request import read_request
from tests.witness.scene import LEDGER_KEY, ORIGIN, History

HONEST = History()
OTHER = History(turn=4)
AT_SIX = Memory(
    origin=ORIGIN,
    ledger_keys=(LEDGER_KEY,),
    last_size=6,
    roots={size: HONEST.root(size) for size in (3, 6)},
)
NOTHING_YET = replace(AT_SIX, last_size=0, roots={})


def judged(octets: bytes, memory: Memory = AT_SIX) -> Judgement:
    return judge(read_request(octets), memory)


def spoilt(note: Note) -> Note:
    (line,) = note.signatures
    return replace(note, signatures=(replace(line, signature=line.signature[:-1] + b"\x00"),))


def by_a_stranger(note: Note) -> Note:
    (line,) = note.signatures
    return replace(note, signatures=(replace(line, key_id=b"\0\0\0\0"),))


REFUSED = [
    ("another ledger", HONEST.request(6, 9, note=HONEST.note(9, origin="another.example")), HTTPStatus.NOT_FOUND),
    ("no signature of the ledger", HONEST.request(6, 9, note=by_a_stranger(HONEST.note(9))), HTTPStatus.FORBIDDEN),
    ("a signature that is wrong", HONEST.request(6, 9, note=spoilt(HONEST.note(9))), HTTPStatus.FORBIDDEN),
    ("an old size that is larger", HONEST.request(0, 5).replace(b"old 0", b"old 6"), HTTPStatus.BAD_REQUEST),
    ("an old size that is not the last", HONEST.request(3, 9), HTTPStatus.CONFLICT),
    ("an old size of zero", HONEST.request(0, 9), HTTPStatus.CONFLICT),
    ("no proof", HONEST.request(6, 9, proof=[]), HTTPStatus.UNPROCESSABLE_ENTITY),
    ("a proof of other sizes", HONEST.request(6, 9, proof=HONEST.proof(5, 9)), HTTPStatus.UNPROCESSABLE_ENTITY),
    (
        "one hash too many",
        HONEST.request(6, 9, proof=[*HONEST.proof(6, 9), bytes(32)]),
        HTTPStatus.UNPROCESSABLE_ENTITY,
    ),
    ("another history", OTHER.request(6, 9), HTTPStatus.UNPROCESSABLE_ENTITY),
    ("another root of the same size", OTHER.request(6, 6), HTTPStatus.UNPROCESSABLE_ENTITY),
]


@pytest.mark.parametrize(("octets", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refuses(octets: bytes, status: HTTPStatus) -> None:
    judgement = judged(octets)
    assert judgement.status is status
    assert judgement.sentence


def test_refuses_a_proof_from_nothing() -> None:
    judgement = judged(HONEST.request(0, 9, proof=[bytes(32)]), NOTHING_YET)
    assert judgement.status is HTTPStatus.UNPROCESSABLE_ENTITY


def test_refuses_another_root_of_no_records() -> None:
    judgement = judged(HONEST.request(0, 0, note=HONEST.note(0, root=bytes(32))), NOTHING_YET)
    assert judgement.status is HTTPStatus.UNPROCESSABLE_ENTITY


def test_refuses_a_note_of_which_one_trusted_signature_is_wrong_and_another_good() -> None:
    good = HONEST.note(9)
    both = replace(good, signatures=(*spoilt(good).signatures, *good.signatures))
    assert judged(HONEST.request(6, 9, note=both)).status is HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    ("octets", "size"),
    [(OTHER.request(6, 9), 6), (OTHER.request(6, 6), 6), (OTHER.request(0, 6), 6), (History(turn=1).request(2, 3), 3)],
    ids=["grown", "of the same size", "of the same size, asked badly", "of an earlier size"],
)
def test_another_history_is_proof_of_a_fork(octets: bytes, size: int) -> None:
    against = judged(octets).against
    assert against is not None
    assert (against.shown, against.size, against.cosigned_root) == (Shown.FORK, size, HONEST.root(size))
    assert against.shown_root not in (None, HONEST.root(size))


@pytest.mark.parametrize("proof", [[], [bytes(32)], [*HONEST.proof(6, 9), bytes(32)], HONEST.proof(5, 9)])
def test_a_good_checkpoint_with_a_bad_proof_proves_nothing_and_is_told(proof: list[bytes]) -> None:
    against = judged(HONEST.request(6, 9, proof=proof)).against
    assert against is not None
    assert (against.shown, against.shown_root) == (Shown.UNPROVEN, None)


def test_where_the_older_tree_is_one_perfect_subtree_the_proof_cannot_tell_its_root() -> None:
    memory = replace(AT_SIX, last_size=8, roots={8: HONEST.root(8)})
    against = judged(OTHER.request(8, 11), memory).against
    assert against is not None
    assert against.shown is Shown.UNPROVEN


@pytest.mark.parametrize("old", [0, 3, 6])
def test_an_earlier_checkpoint_that_comes_again_is_no_fork(old: int) -> None:
    judgement = judged(HONEST.request(min(old, 3), 3))
    assert judgement.against is None
    assert judgement.status is HTTPStatus.CONFLICT


def test_cosigns_what_extends_the_last_and_the_last_again() -> None:
    assert judged(HONEST.request(6, 9)).status is HTTPStatus.OK
    assert judged(HONEST.request(6, 6)).status is HTTPStatus.OK


def test_cosigns_whatever_comes_first() -> None:
    assert judged(OTHER.request(0, 9), NOTHING_YET).status is HTTPStatus.OK
    assert judged(HONEST.request(0, 0), NOTHING_YET).status is HTTPStatus.OK
    assert HONEST.root(0) == EMPTY_ROOT


def test_signatures_of_strangers_do_not_matter() -> None:
    note = HONEST.note(9)
    stranger = NoteSignature(name="somebody", key_id=b"abcd", signature=b"else's")
    both = replace(note, signatures=(stranger, *note.signatures))
    assert judged(HONEST.request(6, 9, note=both)).status is HTTPStatus.OK


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40) | st.none())
def test_only_what_extends_the_last_is_ever_cosigned(last: int, size: int, turn: int | None) -> None:
    history, new = History(turn=turn), max(last, size)
    memory = replace(AT_SIX, last_size=last, roots={last: HONEST.root(last)} if last else {})
    judgement = judged(history.request(last, new), memory)
    extends = turn is None or turn >= last
    assert (judgement.status is HTTPStatus.OK) == extends
    assert (judgement.against is None) == extends
