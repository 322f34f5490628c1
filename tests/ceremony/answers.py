"""What do the people of a rehearsal type? By a word of the question, for every kind of ceremony."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from keybroker.ceremony.plan import PlanFile, Side
from keybroker.cli.dev.certify import certify
from keybroker.cli.dev.deployment import Deployment
from tests.ceremony.carried import carried, searched
from tests.ceremony.scripted import Answer
from tests.ceremony.share_answers import share_answers


def answers_of(
    directory: Path, plan_file: PlanFile, side: Side, deployment: Deployment
) -> Mapping[str, Answer | list[Answer]]:
    """The security officer's PIN, the certificate that the authority's stand-in makes, and where files are."""
    given = directory / f"{plan_file.plan.name}.{side}"

    def certificate(_question: str) -> str:
        (request,) = given.glob("*.csr.pem")
        certify(deployment.directory, request, given / "chain.pem")
        return "chain.pem"

    files, shares = carried(directory, plan_file, side), share_answers(directory, given)
    own: dict[str, Answer | list[Answer]] = {"certificate": certificate, "Security officer's PIN": deployment.so_pin}
    return {**own, "all the copies": "ALL", **files, **shares, **searched(directory)}
