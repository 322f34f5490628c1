"""What stands on the pages of a ceremony: what will happen, where we are, what is next, what was just done?

Values in, lines out.
"""

from __future__ import annotations

from collections.abc import Sequence

from keybroker.ceremony.digest_words import digest_words
from keybroker.ceremony.plan import Participant, Plan, PlanFile, Role
from keybroker.ceremony.steps import Progress, Step
from keybroker.cli.ceremony_layout import heading, labelled, paragraphs
from keybroker.cli.ceremony_screens import KINDS, SCREENS
from keybroker.terms import Finding

ALWAYS = (
    "At every question: help says more, stop lets the ceremony rest. Nothing is lost then; it goes on with:"
    " keybroker ceremony resume"
)
_REHEARSAL = "THIS IS A REHEARSAL. Keys, modules and people are stood in for; nothing of it counts."


def welcome_page(plan_file: PlanFile, findings: Sequence[Finding]) -> tuple[str, ...]:
    """The plan, for everybody to compare with what was approved."""
    plan = plan_file.plan
    return (
        *heading(f"CEREMONY {plan.name}", plan.kind.value),
        *([*paragraphs(_REHEARSAL), ""] if plan.rehearses else []),
        *labelled(
            [
                ("What will happen", KINDS[plan.kind]),
                ("Why", plan.reason),
                ("Asked for by", plan.requested_by),
                *_keys_and_modules(plan),
                *((_role(person.role), person.name) for person in plan.people),
                ("Rules", f"{sum(finding.passed for finding in findings)} of {len(findings)} hold"),
            ]
        ),
        "",
        *paragraphs(f"The steps: {', '.join(plan.steps)}."),
        "",
        *paragraphs(ALWAYS),
        "",
    )


def _keys_and_modules(plan: Plan) -> list[tuple[str, str]]:
    quorum = plan.quorum
    return [
        *(("Key", f"{key.label} ({key.purpose.value}, {key.party})") for key in plan.keys),
        *((f"Module ({module.side.value})", module.serial) for module in plan.modules),
        *([("Quorum", f"{quorum.threshold} of {quorum.count} shares")] if quorum else []),
    ]


def step_page(progress: Progress, step: Step, just_done: str) -> tuple[str, ...]:
    """Where we are, and what is next; ``just_done`` is empty where nothing was done in this room yet."""
    screen, number = SCREENS[step.name], progress.concluded + 1
    following = next((SCREENS[each.name].title for each in progress.steps[number:]), "nothing: it is the last step")
    begun = "It goes on where it was left: what was done is looked for, and not done twice."
    return (
        *heading(f"STEP {number} OF {len(progress.steps)}   {step.told}", screen.title),
        *labelled(
            [
                ("What happens", screen.happens),
                ("Check", screen.check),
                ("Who signs", ", ".join(_role(role) for role in Role if role in step.signed_by)),
                *([("Begun before", begun)] if progress.begun else []),
                *([("Just done", just_done)] if just_done else []),
                ("Next", following),
            ]
        ),
        "",
    )


def signing_page(person: Participant, entry_sha256: bytes) -> tuple[str, ...]:
    """The beginning of the digest that was compared just before."""
    words = " ".join(digest_words(entry_sha256)[:4])
    said = [("Signs now", f"{person.name}, {_role(person.role)}"), ("Entry", f"{entry_sha256.hex()[:8]}: {words}")]
    return ("", *labelled(said))


def _role(role: Role) -> str:
    return role.value.replace("-", " ")
