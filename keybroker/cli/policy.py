"""``keybroker policy``: what may keys of each purpose sign, and who says so?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from keybroker.cli.options import Json
from keybroker.cli.output import show_facts, show_json, show_table
from keybroker.cli.policy_matrix import show_matrix
from keybroker.config import packaged_policies, read_configuration
from keybroker.policy.file import read_policies
from keybroker.policy.model import Policy
from keybroker.terms import KeyPurpose

OptionalConfig = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="KEYBROKER_CONFIG", help="Whose policies; without it the packaged ones."),
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What keys of each purpose may sign, clause by clause.", no_args_is_help=True)
    group.command("list")(list_policies)
    group.command("show")(show)
    group.command("matrix")(matrix)
    app.add_typer(group, name="policy")


def list_policies(config: OptionalConfig = None, as_json: Json = False) -> None:
    """One line for each key purpose."""
    policies = _policies(config)
    if as_json:
        show_json({"policies": list(policies.values())})
        return
    rows = [
        (each.purpose, each.title, each.use_clause, each.operations, each.sha256.hex()[:16])
        for each in policies.values()
    ]
    show_table(("purpose", "title", "clause", "operations", "sha256"), rows)


def show(
    purpose: Annotated[KeyPurpose, typer.Argument(help="A key purpose.")],
    config: OptionalConfig = None,
    as_json: Json = False,
) -> None:
    """Everything a policy says."""
    policy = _policies(config)[purpose]
    if as_json:
        show_json(policy)
        return
    groups = {
        f"codes: {name}": [f"0x{code:04X}" for code in sorted(codes)] for name, codes in policy.message_code_groups
    }
    gates = {f"gate: {gate.gate}": gate.clause for gate in policy.gates}
    show_facts(
        {
            "purpose": policy.purpose,
            "title": policy.title,
            "clauses": policy.clauses,
            "effective from": policy.effective_from,
            "effective until": policy.effective_until,
            "callers": policy.caller_kinds,
            "operations": policy.operations,
            "content": policy.content_kinds,
            "binding": policy.binding,
            "roles": [role.ou for role in sorted(policy.roles)],
            **groups,
            "module": f"{policy.module.requirement} ({policy.module.clause})",
            "location": policy.location,
            **gates,
            "algorithm": policy.algorithm,
            "key usage": policy.key_usage,
            **_settings(policy),
            "export": policy.export,
            "sha256": policy.sha256,
        }
    )


def matrix(
    config: OptionalConfig = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="One table, as in docs/matrix.md.")] = False,
    as_json: Json = False,
) -> None:
    """Every key purpose, kind of content and operation: what is permitted, and which clause forbids the rest."""
    show_matrix(_policies(config), as_json=as_json, markdown=markdown)


def _policies(config: Path | None) -> Mapping[KeyPurpose, Policy]:
    return read_policies(packaged_policies()) if config is None else read_configuration(config).policies


def _settings(policy: Policy) -> dict[str, object]:
    """The tables of the file, name by name."""
    given = {field.name: getattr(policy.settings, field.name) for field in fields(policy.settings)}
    return {
        f"{table}: {field.name}": getattr(settings, field.name)
        for table, settings in given.items()
        if settings is not None
        for field in fields(settings)
    }
