"""``keybroker custodian``: what does a Key Custodian do alone? Enrol, see, receive, check, hand back, renew.

There is no command that signs a file: what a custodian signs in a ceremony is signed there, where he reads it first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keybroker.ceremony.custody import Custodian, held_by, is_enrolled, read_custodian, write_custodian
from keybroker.ceremony.custody_making import Maker
from keybroker.ceremony.guarded_memory import guard_memory
from keybroker.ceremony.person_certificate import Holder
from keybroker.ceremony.token_request import Place
from keybroker.cli import custodian_renewal, custodian_shares
from keybroker.cli.custodian_asking import PinAsked, PinCredential, PinDescriptor, PinEnvironment, tell
from keybroker.cli.custodian_directory import Directory, Years, holder_now, maker_of, write_certificates
from keybroker.cli.custodian_showing import facts_of, show_custodian
from keybroker.cli.options import Json
from keybroker.cli.output import show_json


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="A Key Custodian's own keys and shares. Nothing here shows a share.", no_args_is_help=True)
    group.command("enrol")(enrol)
    group.command("show")(show)
    custodian_shares.register(group)
    custodian_renewal.register(group)
    app.add_typer(group, name="custodian")


def enrol(
    name: Annotated[str, typer.Argument(help="Your name, as the operator enrols it.")],
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-d", envvar="KEYBROKER_CUSTODIAN", help="Your own directory.", file_okay=False),
    ] = None,
    library: Annotated[Path | None, typer.Option(help="Your token's PKCS#11 library.", dir_okay=False)] = None,
    token_label: Annotated[str | None, typer.Option(help="Your token's label.")] = None,
    token_serial: Annotated[str | None, typer.Option(help="Your token's serial number.")] = None,
    token_parameters: Annotated[str, typer.Option(help="What the library is initialised with (NSS).")] = "",
    environment: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE that the library reads; may be given again.")
    ] = None,
    test_files: Annotated[
        Path | None,
        typer.Option(help="For rehearsals: keys in files of this directory, no token.", file_okay=False),
    ] = None,
    years: Years = 3,
    pin_environment: PinEnvironment = None,
    pin_file_descriptor: PinDescriptor = None,
    pin_credential: PinCredential = None,
    as_json: Json = False,
) -> None:
    """Make your signing and your receiving key, and their certificates; both are for the operator to enrol."""
    place = _place(library, token_label, token_serial, token_parameters, environment or [])
    own = _own(directory, test_files, place)
    if is_enrolled(own):
        raise typer.BadParameter(f"{read_custodian(own).name} is enrolled in {own} already; another takes another")
    pin = PinAsked(environment=pin_environment, file_descriptor=pin_file_descriptor, credential=pin_credential)
    maker = maker_of(own, place, pin)
    guard_memory()
    tell("Making your two keys; the second one takes a moment.")
    custodian = _made(name, place, maker, pin, holder_now(name, years))
    write_custodian(own, custodian)
    write_certificates(own, custodian)
    if as_json:
        show_json({**facts_of(custodian), "directory": own})
        return
    show_custodian(custodian, ())
    print(f"give the operator signing.pem and receiving.pem of {own},\nand read both digests aloud.")


def show(directory: Directory, as_json: Json = False) -> None:
    """Who is enrolled here, the digests of both certificates, and what is held. No PIN is needed."""
    custodian = read_custodian(directory)
    held = tuple(held_by(directory, custodian))
    if as_json:
        show_json({**facts_of(custodian), "held": [each.share for each in held]})
        return
    show_custodian(custodian, held)


def _made(name: str, place: Place | None, maker: Maker, pin: PinAsked, holder: Holder) -> Custodian:
    signing = pin.using(lambda: maker.make_signing(holder))
    receiving = pin.using(lambda: maker.make_receiving(holder, signing, 1))
    return Custodian(name=name, place=place, signing=signing, receiving=receiving)


def _place(
    library: Path | None, label: str | None, serial: str | None, parameters: str, environment: list[str]
) -> Place | None:
    """None where no token is named. Raises: BadParameter for half of one."""
    if library is None and label is None and serial is None:
        return None
    if library is None or label is None or serial is None:
        raise typer.BadParameter("a token is named by --library, --token-label and --token-serial, all three")
    pairs = [each.partition("=") for each in environment]
    if not all(name and equals for name, equals, _ in pairs):
        raise typer.BadParameter("expected NAME=VALUE", param_hint="--environment")
    return Place(
        library=str(library),
        label=label,
        serial=serial,
        parameters=parameters,
        environment={name: value for name, _, value in pairs},
    )


def _own(directory: Path | None, test_files: Path | None, place: Place | None) -> Path:
    """Raises: BadParameter where neither, or both, of a token and files are named."""
    if (test_files is None) == (place is None):
        raise typer.BadParameter("expected a token (--library, --token-label, --token-serial) or --test-files")
    own = directory if test_files is None else test_files
    if own is None:
        raise typer.BadParameter("expected your own directory", param_hint="--directory")
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    return own
