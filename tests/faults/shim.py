"""How is a token made to misbehave while a broker uses it? A library between (``pkcs11_shim.c``), and its rules.

put_between(deployment, control, uses)      # in keybroker.toml; control is the fault library's directory too
set_rules(control, Rule("C_Sign", "fail", "0x30"))          # from now on, in every process
clear_rules(control)

The profile stays that of the token behind: the shim tells of itself what the token tells. ``uses`` is the module's own
account of every C_Sign, written before and after each by the process that calls it; also of one that a rule stopped.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from keybroker.cli.dev.deployment import Deployment
from tests import faults

Action = Literal["delay", "fail", "lose", "flip", "truncate", "drop", "hang"]


@dataclass(frozen=True, slots=True)
class Rule:
    """``function`` (or ``*``), ``action`` and ``argument`` as ``pkcs11_shim.c`` says; for each ``every``-th call."""

    function: str
    action: Action
    argument: str = "0"
    every: int = 1


def put_between(deployment: Deployment, control: Path, uses: Path) -> None:
    """Have the deployment's broker use its token through the shim. Raises: pytest's Skipped without a C compiler."""
    control.mkdir(exist_ok=True)
    text = deployment.config_path.read_text()
    library = tomllib.loads(text)["module"]["library"]
    text = text.replace(f'library = "{library}"', f'library = "{faults.build(faults.SHIM)}"')
    told = {"KEYBROKER_TEST_MODULE": library, "KEYBROKER_TEST_USES": uses, "KEYBROKER_FAULTS": control}
    lines = "".join(f'{name} = "{value}"\n' for name, value in told.items())
    deployment.config_path.write_text(text.replace("[module.environment]\n", f"[module.environment]\n{lines}"))


def set_rules(control: Path, *rules: Rule) -> None:
    """These instead of those that stood."""
    unfinished = control / ".shim"
    unfinished.write_text("".join(f"{r.function} {r.action} {r.argument} {r.every}\n" for r in rules))
    unfinished.replace(control / "shim")


def clear_rules(control: Path) -> None:
    """The token is itself again."""
    (control / "shim").unlink(missing_ok=True)


def count_uses(uses: Path) -> dict[str, int]:
    """How often each word stands in the account: ``asked``, ``made``, ``failed``, ``stopped``."""
    words = [line.partition(" ")[0] for line in uses.read_text().splitlines()] if uses.exists() else []
    return {word: words.count(word) for word in ("asked", "made", "failed", "stopped")}
