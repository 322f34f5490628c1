"""``keybroker custodian renew``: a new receiving key, and everything that you hold sealed to it."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from keybroker.ceremony.custody import held_by, read_custodian
from keybroker.ceremony.custody_renewal import renew_receiving
from keybroker.ceremony.guarded_memory import guard_memory
from keybroker.cli.custodian_asking import PinAsked, PinCredential, PinDescriptor, PinEnvironment, ask_word, tell
from keybroker.cli.custodian_directory import Directory, Years, holder_now, maker_of, own_keys, write_certificates
from keybroker.cli.custodian_showing import facts_of, show_custodian
from keybroker.cli.options import Json
from keybroker.cli.output import show_json

_WORD = "renew"
_WHY = """You get a new receiving key; your signing key stays. What you hold is sealed to
the new key and read back. Then the old key is destroyed, and envelopes elsewhere
that are sealed to it are never opened again."""
_HELP = """Do this before your receiving certificate ends, or when the operator asks.
If it is interrupted, start it again: until it says that it is done, the old key
counts. Afterwards give the operator the new receiving.pem."""


def register(group: typer.Typer) -> None:
    group.command("renew")(renew)


def renew(
    directory: Directory,
    word: Annotated[str | None, typer.Option(help=f"Consent without a prompt: {_WORD}")] = None,
    years: Years = 3,
    pin_environment: PinEnvironment = None,
    pin_file_descriptor: PinDescriptor = None,
    pin_credential: PinCredential = None,
    as_json: Json = False,
) -> None:
    """Make a new receiving key, seal to it what you hold, read that back, and destroy the old key."""
    custodian = read_custodian(directory)
    pin = PinAsked(environment=pin_environment, file_descriptor=pin_file_descriptor, credential=pin_credential)
    ask_word(_WORD, given=word, why=_WHY, help_=_HELP)
    guard_memory()
    tell("Making the new key; this takes a moment.")
    renewed = pin.using(
        lambda: renew_receiving(
            directory,
            custodian,
            holder=holder_now(custodian.name, years),
            maker=maker_of(directory, custodian.place, pin),
            keys=lambda whose: own_keys(directory, whose, pin),
            draw=secrets.token_bytes,
        )
    )
    write_certificates(directory, renewed)
    held = tuple(held_by(directory, renewed))
    if as_json:
        show_json({**facts_of(renewed), "held": [each.share for each in held]})
        return
    show_custodian(renewed, held)
    print("done: give the operator the new receiving.pem, and read its digest aloud.")
