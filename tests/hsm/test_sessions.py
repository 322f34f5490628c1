"""The pool lends a session to one borrower at a time, and does not wait for ever."""

from __future__ import annotations

import threading

import pytest

from keybroker.errors import ModuleBusy
from keybroker.hsm.sessions import SessionPool


def test_refuses_when_no_session_comes_back_in_time() -> None:
    pool = SessionPool(["only"], wait_seconds=0.01)
    with pool.borrow(), pytest.raises(ModuleBusy), pool.borrow():
        raise AssertionError("lent twice")


def test_refuses_to_rest_while_a_session_is_out_and_gives_the_others_back() -> None:
    pool = SessionPool(["a", "b"], wait_seconds=0.01)
    with pool.borrow(), pytest.raises(ModuleBusy), pool.all_at_rest():
        raise AssertionError("lent twice")
    with pool.all_at_rest() as every:
        assert set(every) == {"a", "b"}


def test_lends_as_many_as_are_free_and_takes_them_back_after_a_failure() -> None:
    pool = SessionPool(["a", "b", "c"], wait_seconds=0.01)
    with pytest.raises(KeyError):
        _borrow_and_fail(pool)
    with pool.all_at_rest() as every:
        assert len(every) == 3


def _borrow_and_fail(pool: SessionPool[str]) -> None:
    with pool.borrow(2) as two, pool.borrow(2) as one:
        assert (len(two), len(one)) == (2, 1)
        raise KeyError


def test_a_borrower_waits_for_a_session_to_come_back() -> None:
    pool = SessionPool(["only"], wait_seconds=5)
    taken, give_back = threading.Event(), threading.Event()

    def hold() -> None:
        with pool.borrow():
            taken.set()
            give_back.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(5)
    threading.Timer(0.02, give_back.set).start()
    with pool.borrow() as sessions:
        assert sessions == ("only",)
    thread.join()
