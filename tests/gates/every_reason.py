"""Every reason that the gates can give, as their code has it: whoever adds one adds its case to ``every_gate``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from keybroker.gates import EXISTING_GATES
from keybroker.statement.flaw import Flaw
from tests.gates.every_gate import (
    APPROVED,
    ASKED_FOR,
    CHECKED,
    CLASSIFIED,
    COUNTED,
    LOCATED,
    QUORATE,
    SERVED,
    VALIDATED,
)

PACKAGE = Path(__file__).parent.parent.parent / "keybroker"
GATES = PACKAGE / "gates"
COUNTING = PACKAGE / "ledger" / "counting.py"
"""The part of the gate of thresholds that only the ledger can do."""

_is_reason = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+").fullmatch

GIVEN_BY: Mapping[str, tuple[str, ...]] = {
    "key_served.py": (SERVED,),
    "validated_module.py": (VALIDATED,),
    "module_agreement.py": (VALIDATED, CLASSIFIED),
    "located.py": (LOCATED,),
    "supply_sensitive_check.py": (CHECKED,),
    "check_faults.py": (CHECKED,),
    "processing_chain.py": (CHECKED,),
    "anomaly_threshold.py": (COUNTED,),
    "approvals.py": (APPROVED,),
    "pma_approval.py": (APPROVED,),
    "transfer_approved.py": (APPROVED,),
    "split_key.py": (QUORATE,),
}
"""File of ``keybroker/gates`` to the gates that give its reasons."""
GIVEN_BY_ANY = ("__init__.py", "outside.py")
"""By whatever relies on time, spends, or was not asked for."""
FORETOLD = "readiness.py"
"""Tells in words, beforehand, what a gate would find: no refusal holds its reasons."""


def reasons_in(*files: Path) -> frozenset[str]:
    """Every text in the code that has the form of a reason."""
    texts = (
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return frozenset(text for text in texts if _is_reason(text))


def files_with_reasons() -> frozenset[str]:
    """Names of the gates' files, those about people left out."""
    return frozenset(file.name for file in GATES.glob("*.py") if reasons_in(file))


def unreadable_reasons() -> list[str]:
    """``reason=`` of a text that has not the form: it would be overlooked."""
    texts = (
        (file, keyword.value)
        for file in (*GATES.rglob("*.py"), COUNTING)
        for keyword in _keywords(file)
        if keyword.arg in {"reason", "lapsed"} and isinstance(keyword.value, ast.Constant)
    )
    return [f"{file.name}: {text.value!r}" for file, text in texts if not _is_reason(str(text.value))]


def _keywords(file: Path) -> Iterable[ast.keyword]:
    found = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return (node for node in found if isinstance(node, ast.keyword))


def demanded() -> frozenset[tuple[str, str]]:
    """Gate and reason of every way to fail that ``open_gates`` knows."""
    own = {(gate, reason) for name, gates in GIVEN_BY.items() for reason in reasons_in(GATES / name) for gate in gates}
    offered = {(CHECKED, flaw.value) for flaw in Flaw}
    # A held statement was read when it was taken in. Each gate that relies on one has a reason of its own for one that
    # lapsed; of the gate of thresholds all that counts is that none is set.
    held = {
        (gate, flaw.value)
        for gate in (VALIDATED, CLASSIFIED, LOCATED, APPROVED)
        for flaw in (Flaw.BEFORE_RESTORE, Flaw.ATTESTER_WITHDRAWN)
    }
    timed = {(name, "CLOCK_UNRELIABLE") for name, gate in EXISTING_GATES.items() if gate.relies_on_time}
    spending = {
        (name, reason)
        for name, gate in EXISTING_GATES.items()
        if gate.spends
        for reason in ("LEDGER_NOT_REMEMBERED", "WITNESS_SILENT")
    }
    others = {(ASKED_FOR, "STATEMENT_NOT_ASKED_FOR")}
    return frozenset(own | offered | held | timed | spending | others)
