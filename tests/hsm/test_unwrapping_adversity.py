"""A destination that goes away in the middle keeps nothing, and takes the key when it is back."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import pytest

from keybroker.errors import ModuleFault
from keybroker.hsm.destruction import destroy_key
from keybroker.hsm.generate import generate_key
from keybroker.hsm.inventory import list_objects
from keybroker.hsm.token_module import Token
from keybroker.hsm.unwrapping import unwrap_key
from keybroker.hsm.wrapped_key import WrappedKey
from keybroker.hsm.wrapping import wrap_key
from keybroker.hsm.wrapping_pair import make_wrapping_pair, wrapping_pair
from keybroker.terms import KeyLabel, Provenance
from tests.hsm.intents import a_register, a_registered_key
from tests.hsm.tokens import make_softhsm, opened
from tests.hsm.transfer import COMMAND, an_officer
from tests.situations import a_policy

pytestmark = pytest.mark.hsm
LABEL, POLICY, PAIR = KeyLabel("travels"), a_policy(COMMAND), "pair"


def taken(token: Token, wrapped: WrappedKey, *, in_session: bool) -> bool:
    unwrap_key(token, wrapped, POLICY, pair=PAIR, label=LABEL, in_session=in_session)
    key = a_registered_key(LABEL, wrapped.identity, COMMAND, provenance=Provenance.UNWRAPPED)
    return token.served(a_register(key, version=next(_versions)))[LABEL].passed


_versions = count(8000)


def test_a_token_that_goes_away_keeps_nothing_and_takes_the_key_when_it_is_back(a_directory: Path) -> None:
    place = make_softhsm(a_directory)
    tokens, elsewhere = a_directory / "tokens", a_directory / "elsewhere"
    with opened(place) as token:
        generate_key(token, LABEL, POLICY)
        spki = make_wrapping_pair(token, PAIR)
        wrapped = wrap_key(token, LABEL, POLICY, recipient_spki=spki, officer=an_officer(place))
        destroy_key(token, LABEL)
        for in_session in (False, True):
            tokens.rename(elsewhere)
            with pytest.raises(ModuleFault):
                unwrap_key(token, wrapped, POLICY, pair=PAIR, label=LABEL, in_session=in_session)
            elsewhere.rename(tokens)
            time.sleep(0.3)  # the recovery ladder's pause
            assert LABEL not in {each.label for each in list_objects(token)}
            assert wrapping_pair(token, PAIR) == spki
            assert taken(token, wrapped, in_session=in_session)
            token.let_go(LABEL)
            destroy_key(token, LABEL)
            # The register says so too, or recovery would wait for the key.
            token.served(a_register(version=next(_versions)))


def test_a_key_held_in_a_session_is_not_waited_for_when_the_module_recovers(a_directory: Path) -> None:
    place = make_softhsm(a_directory)
    with opened(place) as token:
        generate_key(token, LABEL, POLICY)
        spki = make_wrapping_pair(token, PAIR)
        wrapped = wrap_key(token, LABEL, POLICY, recipient_spki=spki, officer=an_officer(place))
        destroy_key(token, LABEL)
        assert taken(token, wrapped, in_session=True)
        with token.exclusively() as connection:
            connection.disconnect()
        key = a_registered_key(LABEL, wrapped.identity, COMMAND)
        found = token.served(a_register(key, version=next(_versions)))[LABEL]
        assert (found.passed, found.found) == (False, "0")
        token.let_go(LABEL)
        assert taken(token, wrapped, in_session=True)
