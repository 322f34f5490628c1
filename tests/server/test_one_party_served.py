"""A live deployment is opened, and reloaded, as one party's: with a real ledger and a real token, nothing left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.acting import acting
from keybroker.config import Configuration, Works, build_line
from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.token_module import Token
from keybroker.keys.administration import KeyGenerated, OrderKey, administer
from keybroker.server.reload import reloaded
from keybroker.terms import KeyLabel, KeyPurpose, PartyName, Provenance
from tests.agreed import point
from tests.hsm.heads import a_head
from tests.hsm.tokens import PIN, make_softhsm, opened
from tests.server.test_configuration import LIVE, read

OTHER = PartyName("supplier-b")
CLAUSES = r"supplier-a.*SEC G2\.25, G3\.14, G2\.20\(c\).*"


@pytest.fixture
def live(tmp_path: Path) -> Configuration:
    return read(tmp_path, *LIVE)


@pytest.fixture
def on_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Configuration, Token]]:
    """The same with a token of its own, which is open."""
    place = make_softhsm(tmp_path / "place")
    names = (
        ('token_label = "a"', f'token_label = "{place.label}"'),
        ('token_serial = "b"', f'token_serial = "{place.serial}"'),
    )
    directory = ('SOFTHSM2_CONF = "softhsm2.conf"', f'SOFTHSM2_CONF = "{place.environment["SOFTHSM2_CONF"]}"')
    monkeypatch.setenv("SOFTHSM2_CONF", place.environment["SOFTHSM2_CONF"])
    with opened(place) as token:
        yield read(tmp_path, *LIVE, *names, directory), token


def hold_a_strangers_key(live: Configuration) -> None:
    """Brought in past the commands: by whoever calls himself that party, while nobody's key is here."""
    label, public_key = KeyLabel("theirs"), point(ec.generate_private_key(ec.SECP256R1()))
    with acting(live, OTHER) as (journal, actor):
        for act in (
            OrderKey(label=label, purpose=KeyPurpose.AUDIT_CHECKPOINT, party=OTHER),
            KeyGenerated(label=label, public_key=public_key, provenance=Provenance.GENERATED),
        ):
            administer(journal, replace(actor, party=OTHER), act, live.clock.now())


def never_asked() -> str:
    raise AssertionError("the token was opened")


@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
def test_a_start_stops_for_a_key_of_another_party_before_the_token_is_opened(live: Configuration) -> None:
    hold_a_strangers_key(live)
    with pytest.raises(ConfigurationInvalid, match=f"{CLAUSES}key theirs of supplier-b"):
        build_line(live, never_asked, worker="a")


@pytest.mark.hsm
@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
def test_a_start_stops_for_a_token_that_keeps_another_ledgers_head(on_token: tuple[Configuration, Token]) -> None:
    live, token = on_token
    token.write_anchor(a_head(1, origin="keybroker.example/supplier-b"))
    with pytest.raises(ConfigurationInvalid, match=f"{CLAUSES}keybroker.example/supplier-b") as refused:
        build_line(live, lambda: PIN, worker="a")
    assert refused.value.where == "module.token_serial"


def with_a_strange_caller(live: Configuration) -> Configuration:
    return replace(live, callers={name: replace(each, party=OTHER) for name, each in live.callers.items()})


def with_a_strange_key(live: Configuration) -> Configuration:
    hold_a_strangers_key(live)
    return live


@pytest.mark.hsm
@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="refusal")
@pytest.mark.clause("G2.20(c)", "G2.25", "G3.14", shows="acceptance")
def test_a_reload_is_refused_that_brings_or_finds_what_is_another_partys(on_token: tuple[Configuration, Token]) -> None:
    live, _ = on_token
    works: Works = build_line(live, lambda: PIN, worker="a")
    try:
        assert reloaded(live, live, works, worker="a")[0] is works
        changes: tuple[Callable[[Configuration], Configuration], ...] = (with_a_strange_caller, with_a_strange_key)
        for change, found in zip(changes, ("caller", "key"), strict=True):
            with pytest.raises(ConfigurationInvalid, match=f"{CLAUSES}{found} .* of supplier-b"):
                reloaded(live, change(live), works, worker="a")
    finally:
        works.close()
