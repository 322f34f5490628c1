"""Did two people order each restore, and does it say no less than was lost? Pure.

Who they were and that they might act was judged by the broker; a stranger verifies the two orders, which the record
holds whole, with the certificates of their enrolment.
"""

from __future__ import annotations

from collections.abc import Mapping

from keybroker.errors import LedgerBroken
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.record import order_target
from keybroker.ledger.restore_form import MARGIN, RESTORE, Behind
from keybroker.ledger.verify_form import expect
from keybroker.statement.compact import read_compact
from keybroker.statement.flaw import StatementUnfit


def check_restore(index: int, body: Mapping[str, Json]) -> None:
    """An administrative record: where it is a restore's, its own sense. Raises: LedgerBroken."""
    act = body["body"]
    if not isinstance(act, dict) or act.get("act") != RESTORE:
        return
    behind, by = _behind(index, act)
    expect(behind.tree_size <= index, index, f"at most {index} records put back", str(behind.tree_size))
    least = max(behind.remembered_size - behind.tree_size, 0)
    expect(behind.lost >= least, index, f"at least {least} records lost", str(behind.lost))
    expect(by == behind.lost + MARGIN, index, f"numbers grown by {behind.lost + MARGIN}", str(by))
    _check_orders(index, act, order_target(behind.told()))


def _behind(index: int, act: Mapping[str, Json]) -> tuple[Behind, int]:
    try:
        behind = Behind(
            tree_size=int(str(act["tree_size"])),
            root_hash=bytes.fromhex(str(act["root_hash"])),
            remembered_size=int(str(act["remembered_size"])),
            remembered_root=bytes.fromhex(str(act["remembered_root"])),
            lost=int(str(act["lost"])),
        )
        return behind, int(str(act["by"]))
    except (KeyError, ValueError) as error:
        raise LedgerBroken(f"record {index}: expected sizes and roots of a restore, found {act}") from error


def _check_orders(index: int, act: Mapping[str, Json], target: str) -> None:
    orders = act.get("orders")
    found = [each for each in orders if isinstance(each, dict)] if isinstance(orders, list) else []
    people = {str(each.get("attester")) for each in found}
    expect(len(found) == len(people) == 2, index, "the orders of two people", ", ".join(sorted(people)) or "none")
    for each in found:
        try:
            claims = read_compact(str(each.get("statement")).encode()).claims
        except StatementUnfit as unfit:
            raise LedgerBroken(f"record {index}: expected an order, found {unfit.found}") from unfit
        ordered = (claims.get("act"), claims.get("target"))
        expect(ordered == (RESTORE, target), index, f"orders of {RESTORE} {target}", str(ordered))
