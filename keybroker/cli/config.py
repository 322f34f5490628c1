"""``keybroker config``: can a broker start with this configuration, and what does an order to reload it name?"""

from __future__ import annotations

import typer

from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_facts, show_json
from keybroker.config import check_head_is_kept, read_configuration
from keybroker.keys.reload import told_reload
from keybroker.ledger.record import order_target


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Read a configuration strictly.", no_args_is_help=True)
    group.command("check")(check)
    group.command("digest")(digest)
    group.callback()(_group)
    app.add_typer(group, name="config")


def _group() -> None:
    """Read a configuration strictly."""


def check(config: Config, as_json: Json = False) -> None:
    """Read keybroker.toml, policies, profile and anchors as a broker would; touch neither token nor ledger.

    Exit status 78 when a broker would not start with it.
    """
    configuration = read_configuration(config)
    check_head_is_kept(configuration)
    facts = {
        "configuration": configuration.path,
        "sha256": configuration.sha256,
        "deployment": configuration.deployment,
        "ledger_origin": configuration.ledger_origin,
        "ledger_url": configuration.ledger_url,
        "listen": configuration.file.server.listen,
        "profile": configuration.profile.name,
        "anchors": len(configuration.anchors),
        "callers": sorted(configuration.callers),
        "policies": {purpose.value: policy.sha256 for purpose, policy in configuration.policies.items()},
    }
    if as_json:
        show_json({"valid": True, **facts})
        return
    policies = f"{len(configuration.policies)} read"
    show_facts({**facts, "policies": policies})


def digest(config: Config, as_json: Json = False) -> None:
    """One digest over keybroker.toml, policies and anchors, and the target by which a person orders their reload."""
    configuration = read_configuration(config)
    act = told_reload(configuration.sources.digest)
    facts = {"digest": configuration.sources.digest, "act": act["act"], "target": order_target(act)}
    if as_json:
        show_json(facts)
        return
    order = f"keybroker evidence order --act {act['act']} --target {facts['target']} -o order.jws"
    show_facts({**facts, "order it with": order, "give it with": "keybroker evidence add order order.jws"})
