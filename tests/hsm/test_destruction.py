"""A key that was destroyed is looked for, and not finding it counts only where the search finds something."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from keybroker.errors import ModuleUnavailable
from keybroker.hsm.destruction import UNPROVEN, destroy_key, is_absent
from keybroker.hsm.generate import generate_key
from keybroker.hsm.inventory import list_objects
from keybroker.hsm.presence import witness_label
from keybroker.hsm.token_module import Token
from keybroker.hsm.wrapping import clear_wrapping_keys
from keybroker.hsm.wrapping_pair import destroy_wrapping_pair, make_wrapping_pair, wrapping_pair
from keybroker.terms import KeyLabel, KeyPurpose
from tests.hsm.tokens import TokenPlace, make_softhsm, opened
from tests.situations import a_policy

pytestmark = pytest.mark.hsm


def labels(token: Token) -> set[str]:
    return {each.label for each in list_objects(token)}


# --- refusals


@pytest.mark.clause("G5.13(c)", "G5.24(c)", shows="refusal")
def test_a_token_whose_directory_was_moved_away_proves_nothing(a_directory: Path, label: str) -> None:
    """SoftHSM then answers CKR_OK, and finds nothing."""
    place: TokenPlace = make_softhsm(a_directory)
    with opened(place) as token:
        generate_key(token, KeyLabel(label), a_policy())
        make_wrapping_pair(token, label)
        tokens = a_directory / "tokens"
        searches: tuple[Callable[[Token, KeyLabel], object], ...] = (
            is_absent, destroy_key, wrapping_pair, destroy_wrapping_pair, clear_wrapping_keys
        )  # fmt: skip
        for search in searches:
            tokens.rename(a_directory / "elsewhere")
            # It shows nothing, or a look that fell due a second after the last one has noticed.
            with suppress(ModuleUnavailable):
                assert label not in labels(token)
            with pytest.raises(ModuleUnavailable):
                search(token, KeyLabel(label))
            (a_directory / "elsewhere").rename(tokens)
            time.sleep(0.3)  # the recovery ladder's pause
            # It is found again, and was not there to be destroyed.
            assert not is_absent(token, KeyLabel(label))
            assert wrapping_pair(token, label) is not None


# --- acceptance


@pytest.mark.clause("G5.13(c)", "G5.24(c)", shows="acceptance")
@pytest.mark.parametrize(
    "module", [pytest.param("softhsm", marks=pytest.mark.hsm), pytest.param("nss", marks=pytest.mark.nss)]
)
@pytest.mark.parametrize("purpose", [KeyPurpose.RECOVERY_COMMAND, KeyPurpose.DCO_SMETS1])
def test_destroys_every_object_of_the_key_and_of_no_other(
    request: pytest.FixtureRequest, module: str, purpose: KeyPurpose, label: str
) -> None:
    token: Token = request.getfixturevalue(module)
    authentication = purpose is KeyPurpose.DCO_SMETS1 and token.profile.objects.data
    generate_key(token, KeyLabel(label), a_policy(purpose), authentication=authentication)
    generate_key(token, KeyLabel(f"{label}-b"), a_policy())
    before = labels(token)
    assert not is_absent(token, KeyLabel(label))

    done = destroy_key(token, KeyLabel(label))

    assert len(done.destroyed) == (2 if purpose is KeyPurpose.RECOVERY_COMMAND or authentication else 1)
    assert before - labels(token) == {name for name in before if name in (label, f"{label}.authentication")}
    assert (done.module_serial, done.unproven, done.witness) == (token.serial, UNPROVEN, witness_label(label))
    assert done.searched == len(list_objects(token)) + 1
    assert is_absent(token, KeyLabel(label))
    assert destroy_key(token, KeyLabel(label)).destroyed == ()
    assert witness_label(label) not in labels(token)


def test_what_a_search_left_behind_when_it_was_killed_goes_with_the_next(softhsm: Token, label: str) -> None:
    with softhsm.exclusively() as connection:
        connection.create_data(witness_label(label), b"left")
    assert is_absent(softhsm, KeyLabel(label))
    assert witness_label(label) not in labels(softhsm)
