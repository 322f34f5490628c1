"""Each test module that names a token gets its library initialised anew: a PKCS#11 library belongs to the process."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from keybroker.hsm.token_module import Token
from keybroker.hsm.wrapping_pair import make_wrapping_pair, wrapping_pair
from tests.fakes import FakeModule
from tests.hsm.subjects import FakeSubject, Subject, TokenSubject
from tests.hsm.tokens import NSS, TokenPlace, make_nss, make_softhsm, opened
from tests.hsm.transfer import PAIR, Transfer, a_transfer

_numbers = count(1)


@pytest.fixture(scope="module")
def softhsm_place(tmp_path_factory: pytest.TempPathFactory) -> TokenPlace:
    return make_softhsm(tmp_path_factory.mktemp("softhsm") / "place")


@pytest.fixture(scope="module")
def softhsm(softhsm_place: TokenPlace) -> Iterator[Token]:
    with opened(softhsm_place) as token:
        yield token


@pytest.fixture(scope="module")
def nss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    if not NSS:
        pytest.skip("NSS softokn (libnss3) is not installed: the second token is not tested")
    with opened(make_nss(tmp_path_factory.mktemp("nss") / "place")) as token:
        yield token


@pytest.fixture(
    scope="module",
    params=["fake", pytest.param("softhsm", marks=pytest.mark.hsm), pytest.param("nss", marks=pytest.mark.nss)],
)
def subject(request: pytest.FixtureRequest) -> Subject:
    """The same contract for the fake and for two tokens."""
    if request.param == "fake":
        return FakeSubject(FakeModule())
    return TokenSubject(request.getfixturevalue(request.param))


@pytest.fixture
def label() -> str:
    """A key label that no test has used in this process."""
    return f"key-{next(_numbers)}"


@pytest.fixture
def a_directory(tmp_path: Path) -> Path:
    return tmp_path / "place"


@pytest.fixture(scope="module")
def transfer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transfer]:
    with a_transfer(tmp_path_factory.mktemp("transfer") / "place") as made:
        make_wrapping_pair(made.destination, PAIR)
        yield made


@pytest.fixture(scope="module")
def spki(transfer: Transfer) -> bytes:
    public = wrapping_pair(transfer.destination, PAIR)
    assert public is not None
    return public
