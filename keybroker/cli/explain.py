"""``keybroker explain``: what would the broker say to this message, rule by rule?"""

from __future__ import annotations

import typer

from keybroker.cli.connection import open_broker
from keybroker.cli.exit_status import ExitStatus
from keybroker.cli.options import Anchors, Certificate, Json, PrivateKey, Target
from keybroker.cli.output import console, show_error, show_facts, show_findings, show_json
from keybroker.cli.sign import DeclaredKind, File, KeyName, Kind, read_message
from keybroker.client import Explanation
from keybroker.terms import ContentKind


def register(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
    file: File,
    key: KeyName,
    target: Target,
    certificate: Certificate,
    private_key: PrivateKey,
    anchors: Anchors,
    kind: DeclaredKind = Kind.PRE_COMMAND,
    as_json: Json = False,
) -> None:
    """Decode, decide and look at the gates without touching the key; show every rule with its clause.

    Exit status 0 when it would be signed, 1 when it would be refused.
    """
    octets = read_message(file)
    with open_broker(target, certificate, private_key, anchors) as broker:
        explanation = broker.explain(kind=ContentKind(kind), key=key, octets=octets)
    if as_json:
        show_json(explanation)
    else:
        _show(explanation)
    if not explanation.would_sign:
        raise typer.Exit(ExitStatus.REFUSED)


def _show(explanation: Explanation) -> None:
    out = console()
    content = explanation.content
    if content is not None:
        show_facts(
            {
                "message code": f"{content.message_code} {content.use_case}",
                "originator": content.originator,
                "recipient": content.recipient,
                "counter": content.originator_counter,
                "payload": content.payload_family,
                "sha256": content.sha256,
                "purpose": explanation.key_purpose,
                "policy sha256": explanation.policy_sha256,
            }
        )
    show_findings(out, explanation.findings)
    if explanation.would_sign:
        out.print("would be signed", style="bold green")
    elif explanation.error is not None:
        show_error(explanation.error, as_json=False, explained=True)
