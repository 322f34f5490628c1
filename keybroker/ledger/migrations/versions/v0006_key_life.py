"""The history of every key, made from the records there are; its copies; when it came into use."""

from __future__ import annotations

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "v0006"
down_revision = "v0005"

_leaf = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PAGE = 500


def upgrade() -> None:
    for name, kind in (("renews", sa.String(63)), ("activated_at", _leaf), ("uses_before", _leaf)):
        op.add_column("key", sa.Column(name, kind))
    transition = op.create_table(
        "key_transition",
        sa.Column("leaf_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("label", sa.String(63), primary_key=True),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("before", sa.String(16)),
        sa.Column("after", sa.String(16), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(512), nullable=False),
        sa.Column("people", sa.String(512), nullable=False),
        sa.Column("ceremony", sa.String(128)),
    )
    op.create_index("key_transition_label", "key_transition", ["label"])
    op.create_table(
        "key_copy",
        sa.Column("added_index", _leaf, primary_key=True, autoincrement=False),
        sa.Column("label", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("place", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("destroyed_index", _leaf),
        sa.Column("how", sa.String(255)),
        sa.Column("searched", sa.Integer),
    )
    op.create_index("key_copy_label", "key_copy", ["label"])
    _tell_history(op.get_bind(), transition)


def _tell_history(connection: sa.Connection, transition: sa.Table) -> None:
    """From the records of acts on keys: there are no others that lead from a state to one."""
    record, last = sa.table("record", *(sa.column(name) for name in ("leaf_index", "kind", "octets"))), -1
    acts = sa.select(record.c.leaf_index, record.c.octets).where(record.c.kind == "administrative")
    activated: set[str] = set()
    while True:
        page = connection.execute(
            acts.where(record.c.leaf_index > last).order_by(record.c.leaf_index).limit(_PAGE)
        ).all()
        for leaf_index, octets in page:
            row = _row(leaf_index, json.loads(octets))
            if row is not None:
                connection.execute(transition.insert().values(row))
                _activate(connection, row, activated)
        if len(page) < _PAGE:
            return
        last = page[-1].leaf_index


def _row(leaf_index: int, body: dict[str, object]) -> dict[str, object] | None:
    act = body.get("body")
    if not isinstance(act, dict) or "to" not in act or "key" not in act:
        return None
    order = act.get("order")
    return {
        "leaf_index": leaf_index,
        "label": act["key"],
        "act": act["act"],
        "before": act["from"],
        "after": act["to"],
        "at": body["at"],
        "actor": act["actor"]["identity"],
        "people": order["attester"] if isinstance(order, dict) else "",
        "ceremony": None,
    }


def _activate(connection: sa.Connection, row: dict[str, object], activated: set[str]) -> None:
    label = str(row["label"])
    if row["after"] != "active" or label in activated:
        return
    activated.add(label)
    key = sa.table("key", sa.column("label"), sa.column("activated_at"))
    seconds = int(datetime.fromisoformat(str(row["at"])).timestamp())
    connection.execute(key.update().where(key.c.label == label).values(activated_at=seconds))
