"""``keybroker module``: what can the token do, may it be tried again, and what evidence is held about it?"""

from __future__ import annotations

from pathlib import Path

import typer

from keybroker.cli import module_list, module_uses
from keybroker.cli.acting import acting
from keybroker.cli.exit_status import ExitStatus
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import OrderFile, PersonCertificate, PersonKey, find_order, ordered
from keybroker.cli.output import console, show_facts, show_findings, show_json, show_table
from keybroker.cli.token import opened_token
from keybroker.config import Configuration, read_configuration
from keybroker.config.latch import find_latch, unlatch
from keybroker.hsm.check import ModuleReport, check_module
from keybroker.hsm.sign_switch import SignSwitch
from keybroker.keys.unlatching import order_unlatching
from keybroker.ledger.model import Receipt
from keybroker.ledger.module_form import unlatching
from keybroker.terms import Finding


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The Cryptographic Module.", no_args_is_help=True)
    group.command("check")(check)
    group.command("unlatch")(unlatch_module)
    module_list.register(group)
    module_uses.register(group)
    app.add_typer(group, name="module")


def check(config: Config, as_json: Json = False) -> None:
    """Ask the token what it can do, run known-answer tests, and say which purposes that allows. Asks for the PIN.

    Exit status 0 when every test passes and every purpose may be held in this deployment, 1 when not.
    """
    configuration = read_configuration(config)
    with opened_token(configuration) as token:
        report = check_module(token, configuration.policies)
    if as_json:
        show_json({"passed": report.passed, "report": report})
    else:
        _show(report)
    if not report.passed:
        raise typer.Exit(ExitStatus.REFUSED)


def unlatch_module(
    config: Config,
    order: OrderFile = None,
    person: PersonCertificate = None,
    person_key: PersonKey = None,
    as_json: Json = False,
) -> None:
    """After a wrong PIN: take the latch away, so that the broker tries the token again.

    By order of a person, where the module holds a key that stays in the United Kingdom (SEC G3.23). Needs the ledger
    alone: neither the broker nor the token.
    """
    configuration = read_configuration(config)
    why, receipt = find_latch(configuration.data_directory), None
    if why is not None:
        receipt = _ordered(configuration, order, person, person_key)
        unlatch(configuration.data_directory)
    record = None if receipt is None else receipt.leaf_index
    if as_json:
        show_json({"was_latched": why is not None, "because": why, "record": record})
    elif why is None:
        console().print("it was not latched")
    else:
        by = "" if record is None else f" by order (record {record})"
        console().print(f"unlatched{by}; it was latched because: {why}")


def _ordered(
    configuration: Configuration, order: Path | None, person: Path | None, person_key: Path | None
) -> Receipt | None:
    """The record of who has the module tried again; None where nobody needs to order that, and nobody did."""
    serial = configuration.file.module.token_serial
    with acting(configuration, "operator") as (journal, actor):
        given = ordered(configuration, find_order(configuration, unlatching(serial), order, person, person_key))
        return order_unlatching(journal, actor, serial, given, configuration.policies, configuration.clock.now())


def _show(report: ModuleReport) -> None:
    description = report.description
    library = (description.library_manufacturer, description.library_description, description.library_version)
    show_facts(
        {
            "profile": report.profile,
            "library": " ".join(filter(None, library)),
            "cryptoki": description.cryptoki_version,
            "token": f"{description.manufacturer} {description.model}, firmware {description.firmware_version},"
            f" hardware {description.hardware_version}",
            "label": description.label,
            "serial": description.serial,
            "mechanisms": f"{len(report.mechanisms)} offered (--json names them)",
            "keeps the ledger's head": report.keeps_anchor,
            "not tried": report.untried,
        }
    )
    show_findings(console(), (*report.tests, report.aes_gcm))
    console().print(f"ways to agree a key and make a MAC; the profile names {report.mac_strategy}:")
    for each in report.strategies:
        console().print(f"  {each.rule}: {'right answers' if each.passed else each.found}", highlight=False)
    console().print(f"CKA_SIGN of a Key Agreement key: {_sign_switch_words(report)}")
    rows = [(each.purpose, _word(each.here), _word(each.live), each.here.clause) for each in report.purposes]
    show_table(("purpose", "in this deployment", "in a live one", "clause"), rows)


def _sign_switch_words(report: ModuleReport) -> str:
    match report.sign_switch:
        case None:
            return "no key that both signs and derives can be made; policy alone forbids"
        case SignSwitch(can_be_cleared=False):
            return "cannot be cleared; policy alone forbids"
        case SignSwitch(stays_cleared=False):
            return "can be cleared, and switched on again; policy alone forbids"
        case _:
            return "cleared for good"


def _word(finding: Finding) -> str:
    return "may be held" if finding.passed else f"no: {finding.found}"
