"""How does a command ask for one thing and show what came back, or show what would become of it?"""

from __future__ import annotations

from pathlib import Path

import typer

from keybroker.cli.exit_status import ExitStatus
from keybroker.cli.octets import write_outputs
from keybroker.cli.output import console, show_error, show_facts, show_findings, show_json
from keybroker.client import Broker, ContentFacts, Explanation, Receipt, Request
from keybroker.client.replies import as_processed, as_signed


def sign_and_show(broker: Broker, request: Request, output: Path | None, *, as_json: bool) -> None:
    """Have it signed; the whole goes to ``output``. Raises: the request's error."""
    signed = as_signed(broker.send(request))
    if output is not None:
        write_outputs(output, [signed.octets])
    if as_json:
        show_json(signed)
        return
    show_facts(
        {
            "signed message": output or signed.octets,
            "signature": signed.signature,
            **_about(signed.request_id, signed.receipt, again=signed.given_again),
            "counter used before": signed.counter_reused,
        }
    )


def process_or_explain(
    broker: Broker,
    request: Request,
    output: Path | None = None,
    *,
    named: str,
    explain: bool,
    as_json: bool,
    private: bool = False,
) -> None:
    """Have it processed, or explained; ``named`` is what comes back, which goes to ``output``.

    Raises: the request's error; as ``explain_and_show``.
    """
    if explain:
        explain_and_show(broker, request, as_json=as_json)
    else:
        _process_and_show(broker, request, output, named=named, as_json=as_json, private=private)


def explain_and_show(broker: Broker, request: Request, *, as_json: bool, would: str = "be done") -> None:
    """Every rule with its clause. Raises: typer.Exit where it would be refused."""
    explanation = broker.explain_request(request)
    if as_json:
        show_json(explanation)
    else:
        _show(explanation, would)
    if not explanation.would_sign:
        raise typer.Exit(ExitStatus.REFUSED)


def _process_and_show(
    broker: Broker, request: Request, output: Path | None, *, named: str, as_json: bool, private: bool
) -> None:
    processed = as_processed(broker.send(request))
    files = [] if output is None else write_outputs(output, processed.outputs, private=private)
    if as_json:
        show_json(processed)
        return
    facts = _about(processed.request_id, processed.receipt, again=processed.given_again)
    show_facts({named: files or processed.outputs or "right", **facts})


def _about(request_id: str, receipt: Receipt, *, again: bool) -> dict[str, object]:
    return {
        "request id": request_id,
        "ledger": receipt.origin,
        "record": receipt.leaf_index,
        "leaf hash": receipt.leaf_hash,
        "given again": again,
    }


def _show(explanation: Explanation, would: str) -> None:
    out = console()
    if explanation.content is not None:
        policy = {"purpose": explanation.key_purpose, "policy sha256": explanation.policy_sha256}
        show_facts(_facts(explanation.content) | policy)
    show_findings(out, explanation.findings)
    if explanation.would_sign:
        out.print(f"would {would}", style="bold green")
    elif explanation.error is not None:
        show_error(explanation.error, as_json=False, explained=True)


def _facts(content: ContentFacts) -> dict[str, object]:
    if not content.message_code:
        return {**content.facts, "sha256": content.sha256}
    return {
        "message code": f"{content.message_code} {content.use_case}",
        "originator": content.originator,
        "recipient": content.recipient,
        "counter": content.originator_counter,
        "payload": content.payload_family,
        "sha256": content.sha256,
    }
