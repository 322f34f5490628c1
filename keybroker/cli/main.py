"""``keybroker``: which commands are there? Each lives in a file of its own.

Only the file of the command that is called is imported: signing one message should not wait for every library.
Exit status: 0 done, 1 refused, 2 usage, 3 fault, 78 configuration (``serve`` has its own, see there).
"""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from keybroker.ceremony import guarded_memory
from keybroker.cli import output
from keybroker.cli.exit_status import ExitStatus, exit_status
from keybroker.errors import KeybrokerError
from keybroker.hsm.dumps import forbid_dumps

COMMANDS: Mapping[str, str] = {
    "serve": "keybroker.cli.serve",
    "sign": "keybroker.cli.sign",
    "explain": "keybroker.cli.explain",
    "mac": "keybroker.cli.mac",
    "check": "keybroker.cli.mac",
    "decrypt": "keybroker.cli.mac",
    "prepayment-token": "keybroker.cli.prepayment",
    "smets1": "keybroker.cli.smets1",
    "keys": "keybroker.cli.keys",
    "module": "keybroker.cli.module",
    "ledger": "keybroker.cli.ledger",
    "report": "keybroker.cli.report",
    "trust": "keybroker.cli.trust",
    "ssc": "keybroker.cli.ssc",
    "people": "keybroker.cli.people",
    "evidence": "keybroker.cli.evidence",
    "thresholds": "keybroker.cli.thresholds",
    "ceremony": "keybroker.cli.ceremony",
    "custodian": "keybroker.cli.custodian",
    "policy": "keybroker.cli.policy",
    "config": "keybroker.cli.config",
    "witness": "keybroker.cli.witness",
    "dev": "keybroker.cli.dev.commands",
}
"""Command to the module that registers it, in the order of the help."""

_SHARES_PASS = ({"ceremony", "run"}, {"ceremony", "resume"}, {"ceremony", "rehearse"}, {"custodian"})
"""Words of the commands through whose process shares of a key may pass."""

_HELP = """Uses keys in a PKCS#11 module for the Smart Energy Code, after reading and judging what it is asked.

Exit status: 0 done, 1 refused, 2 usage, 3 fault, 78 configuration."""


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """The command line, with the command that ``arguments`` call, or all of them where they call none (help)."""
    # Help and usage errors have boxes only for somebody who likes them.
    fancy = output.is_fancy() and output.is_fancy(stderr=True) and "--plain" not in arguments
    app = typer.Typer(
        name="keybroker",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if fancy else None,
    )
    app.callback()(_root)
    called = _called(arguments)
    # What is loaded stays until the end: looking through it for garbage was a third of a short command.
    gc.disable()
    for module in dict.fromkeys([COMMANDS[called]] if called else COMMANDS.values()):
        importlib.import_module(module).register(app)
    if not gc.get_freeze_count():
        gc.freeze()
    gc.enable()
    return app


def _called(arguments: Sequence[str]) -> str | None:
    return next((argument for argument in arguments if argument in COMMANDS), None)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"keybroker {importlib.metadata.version('keybroker')}")
        raise typer.Exit


def _root(
    plain: Annotated[bool, typer.Option("--plain", help="No colour, no boxes, no progress (also: NO_COLOR).")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    if plain:
        output.be_plain()


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point. Ends the process."""
    # Whatever is asked, a PIN may come to stand in this process.
    forbid_dumps()
    if arguments is None and any(words <= set(sys.argv[1:]) for words in _SHARES_PASS):
        guarded_memory.begin_overwriting()
    answer(list(sys.argv[1:] if arguments is None else arguments))


def answer(given: list[str]) -> None:
    """Do what is asked and end the process, whose memory is the caller's affair. Raises: SystemExit."""
    as_json = "--json" in given
    if _called(given) != "serve":
        # What the transport would print, the command says in its own words.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        # Not standalone: a usage error is raised, and can be said in JSON; an exit status is returned.
        status = make_app(given)(args=given, prog_name="keybroker", standalone_mode=not as_json)
        sys.exit(status)
    except KeybrokerError as error:
        output.show_error(error, as_json=as_json)
        sys.exit(exit_status(error))
    except typer.TyperException as error:
        output.show_json({"error": output.usage_facts(error.format_message())})
        sys.exit(ExitStatus.USAGE)
    except OSError as error:
        # A file that the command line names cannot be read or written.
        sentence = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        if as_json:
            output.show_json({"error": output.usage_facts(sentence)})
        else:
            print(f"keybroker: {sentence}", file=sys.stderr)
        sys.exit(ExitStatus.USAGE)


if __name__ == "__main__":
    main()
