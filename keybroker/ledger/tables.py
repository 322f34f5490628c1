"""The ledger's tables, as SQLAlchemy Core sees them. ``migrations/`` makes them; a test holds the two together.

``record`` is evidence and never changes, but that what was aged out loses its octets. The rest can be made again from
it, or is an erasable copy (``octets``).
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text, text

from keybroker.ledger.table_base import LEAF
from keybroker.ledger.table_base import metadata as metadata
from keybroker.ledger.tables_checkpoint import checkpoint as checkpoint  # these, in files of their own
from keybroker.ledger.tables_checkpoint import cosignature as cosignature
from keybroker.ledger.tables_upkeep import upkeep as upkeep

record = Table(
    "record",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("party", String(64), nullable=False),
    Column("octets", LargeBinary, nullable=False),
)

head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("origin", String(255), nullable=False),
    Column("deployment", String(8), nullable=False),
    Column("tree_size", LEAF, nullable=False),
    Column("root_hash", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("register_version", LEAF, nullable=False),
)
"""One row: the tree's right edge, which every transaction reads, extends and writes."""

request = Table(
    "request",
    metadata,
    Column("intent_index", LEAF, primary_key=True, autoincrement=False),
    Column("name", String(256), nullable=False, unique=True),
    Column("caller", String(512), nullable=False),
    Column("party", String(64), nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("state", String(8), nullable=False),
    Column("outcome_index", LEAF),
    Column("worker", String(96), nullable=False),
    Column("at", LEAF, nullable=False),
    Index("request_open", "worker", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
)
"""The last intent under each name (operation, key and request_id, joined by spaces). ``at`` is in seconds."""

octets = Table(
    "octets",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("octets", LargeBinary, nullable=False),
    Column("at", LEAF, nullable=False),
)
"""The messages themselves, by the leaf index of their intent: erasable, and never those that disclose Secret Key
Material. In the order of the ledger and with no index on ``sha256``: a page written anew for every row would cost more
than the rare search at an erasure.
"""

counter_use = Table(
    "counter_use",
    metadata,
    Column("relation", LargeBinary, primary_key=True),
    Column("uses", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""Intents per originator (8 octets), recipient (8) and Originator Counter (8)."""

key = Table(
    "key",
    metadata,
    Column("label", String(63), primary_key=True),
    Column("purpose", String(64), nullable=False),
    Column("party", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("provenance", String(32)),
    Column("public_key", LargeBinary, unique=True),
    Column("eui", LargeBinary),
    Column("revoked_at", LEAF),
    Column("renews", String(63)),
    Column("activated_at", LEAF),
    Column("uses_before", LEAF),
)
"""The register of keys. ``eui`` is the one given at order; ``revoked_at`` (seconds) is of the certificate enrolled.

``renews`` is the key whose successor it is. Its cryptoperiod runs from ``activated_at`` (seconds); ``uses_before`` is
how often another system used it.
"""

key_transition = Table(
    "key_transition",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("label", String(63), primary_key=True),
    Column("act", String(32), nullable=False),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(512), nullable=False),
    Column("people", String(512), nullable=False),
    Column("ceremony", String(128)),
    Index("key_transition_label", "label"),
)
"""The history of each key (SEC G5.13, G5.24), by the leaf index of the record of each act; ``at`` as the record has it.

``people`` ordered it (joined by spaces), or a ``ceremony`` did it.
"""

key_copy = Table(
    "key_copy",
    metadata,
    Column("added_index", LEAF, primary_key=True, autoincrement=False),
    Column("label", String(63), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("place", String(255), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("destroyed_index", LEAF),
    Column("how", String(255)),
    Column("searched", Integer),
    Index("key_copy_label", "label"),
)
"""Every copy of a key that is known (SEC G5.13(c)), by the leaf index of the record that first tells of it.

``place`` is a module's serial, or site and file; ``sha256`` is of its octets, empty where it has none to be seen.
``destroyed_index`` is of the record that says that it is destroyed, ``how``, and whether a search proved it (1).
"""

session_key = Table(
    "session_key",
    metadata,
    Column("label", String(63), primary_key=True),
    Column("parent", String(63), nullable=False),
    Column("device", LargeBinary, nullable=False),
    Column("handshake", LEAF, nullable=False, unique=True),
    Column("made_at", LEAF, nullable=False),
    Column("until", LEAF, nullable=False),
    Column("request", String(256), nullable=False, unique=True),
    Column("caller", String(512), nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("broker", String(32), nullable=False),
    Column("worker", String(96), nullable=False),
    Column("made_index", LEAF),
    Column("destroyed_index", LEAF),
    Index(
        "session_key_held",
        "label",
        sqlite_where=text("destroyed_index IS NULL"),
        postgresql_where=text("destroyed_index IS NULL"),
    ),
)
"""Keys of the register that were made for one TLS session each (SEC G2.44A(d)); rows stay, so that no handshake
(the leaf index of its signature's outcome) and no request serves twice. ``broker`` is the run of the broker that made
it, ``made_at`` and ``until`` are in seconds; the last two are the leaf indexes of the acts that say so.
"""

certificate = Table(
    "certificate",
    metadata,
    Column("label", String(63), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("der", LargeBinary, nullable=False),
)
"""The chain behind a key: position 0 is the key's own certificate."""

revoked_certificate = Table(
    "revoked_certificate",
    metadata,
    Column("identity", LargeBinary, primary_key=True),
    Column("label", String(63), nullable=False),
    sqlite_with_rowid=False,
)
"""Certificates that were ever revoked, by SHA-256 of issuer and serial number: none of them is enrolled again."""

taken = Table(
    "taken",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("intent_index", LEAF, nullable=False),
    sqlite_with_rowid=False,
)
"""What intents have taken (``policy/claim.py``): scope, 0x00 and name, to the value taken last."""

revocation_list = Table(
    "revocation_list",
    metadata,
    Column("issuer", LargeBinary, primary_key=True),
    Column("number", LargeBinary, nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""The current ARL or CRL of each issuer (SHA-256 of its public point), and its CRLNumber in 20 octets.

``chain`` is a SEQUENCE of the issuer's certificate and its issuers' (DER), for a CA that stands in no key's chain;
empty where none came with the list.
"""

attester = Table(
    "attester",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("party", String(64), nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("kinds", String(512), nullable=False),
    Column("since", LEAF, nullable=False),
    Column("until", LEAF, nullable=False),
    Column("withdrawn_at", LEAF),
)
"""Who may state what (``statement/attester.py``); ``kinds`` are joined by spaces, moments in seconds."""

statement = Table(
    "statement",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("kind", String(64), nullable=False),
    Column("attester", String(128), nullable=False),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("compact", LargeBinary, nullable=False),
    Column("withdrawn_index", LEAF),
)
"""Statements that are held, by the leaf index of the record that took each in; ``sha256`` is of the payload."""

statement_used = Table(
    "statement_used",
    metadata,
    Column("identity", String(256), primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("leaf_index", LEAF, nullable=False),
)
"""Statements that were taken in or acted on, by attester and nonce: none of them is taken a second time. Those that
come with requests are spent in ``taken``.
"""

person_act = Table(
    "person_act",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("subject", String(128), primary_key=True),
    Column("person", String(128), nullable=False),
    Column("at", LEAF, nullable=False),
)
"""Which person acted, by order, on which key, module, node or configuration (SEC G3.23); of acts in a ceremony
``key_transition`` and ``ceremony_step`` tell. ``at`` is in seconds.
"""

restore = Table(
    "restore",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("at", LEAF, nullable=False),
    Column("lost", LEAF, nullable=False),
)
"""When the ledger was put back from a back-up, and how many records were lost: evidence issued before the last one is
void. ``at`` is in seconds, rounded up.
"""

anomaly_count = Table(
    "anomaly_count",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    Column("buckets", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""How often something was used lately (SEC G6.3, G6.6), by what is counted; ``buckets`` as in ``ledger/window.py``."""

HELD = "state IN ('quarantined', 'released')"
"""Of a quarantined communication: nothing was decided for ever."""

quarantine = Table(
    "quarantine",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("party", String(64), nullable=False),
    Column("caller", String(512), nullable=False),
    Column("user_id", String(23), nullable=False),
    Column("key", String(63), nullable=False),
    Column("name", String(256), nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("octets", LargeBinary),
    Column("counts", String(4096), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", LEAF, nullable=False),
    Index("quarantine_held", "sha256", sqlite_where=text(HELD), postgresql_where=text(HELD)),
)
"""Communications that exceeded an Anomaly Detection Threshold (SEC G6.1), by the leaf index of their refusal.

``user_id`` is the User ID in them, ``name`` the request's, ``counts`` which thresholds were exceeded (a line each);
``octets`` are there while it is quarantined or released, and never those that disclose Secret Key Material. ``at`` is
in seconds.
"""

threshold_check = Table(
    "threshold_check",
    metadata,
    Column("part", String(63), primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    Column("attester", String(128), nullable=False),
    Column("sequence", LEAF, nullable=False),
    Column("leaf_index", LEAF, nullable=False),
)
"""Notifications of thresholds whose cryptographic protection was checked with success, per part of the systems: each
once, whether it was then applied or not (SEC G6.6A). ``sha256`` is of the payload.
"""

ceremony = Table(
    "ceremony",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("side", String(16), nullable=False),
    Column("state", String(8), nullable=False),
    Column("plan", Text, nullable=False),
    Column("leaf_index", LEAF, nullable=False),
)
"""Each ceremony, by its one name, with the very text of its plan."""

ceremony_key = Table(
    "ceremony_key",
    metadata,
    Column("label", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
)
"""Which keys a ceremony holds, while it is open."""

ceremony_step = Table(
    "ceremony_step",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("step", String(32), nullable=False),
    Column("given", Text, nullable=False),
    Column("begun_index", LEAF, nullable=False),
    Column("entry", Text),
    Column("signatures", Text),
    Column("leaf_index", LEAF),
)
"""A step that was begun; ``entry``, ``signatures`` (JSON) and ``leaf_index`` once it is concluded."""

anomaly_watch = Table(
    "anomaly_watch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("looked_to", LEAF, nullable=False),
)
"""One row: records before this leaf index were looked at for Anomalous Events (SEC G2.29, G3.15)."""

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", LEAF, nullable=False),
    Column("delivered_at", LEAF),
    Column("error", String(256), nullable=False),
)
"""Messages on Anomalous Events, by the leaf index of the record that tells of one: when the next try is due, when it
was taken (both in seconds), and what the last try came to. None is ever given up.
"""

ledger_review = Table(
    "ledger_review",
    metadata,
    Column("leaf_index", LEAF, primary_key=True, autoincrement=False),
    Column("up_to", LEAF, nullable=False),
    Column("person", String(128), nullable=False),
    Column("at", LEAF, nullable=False),
)
"""Reviews of the audit log (SEC G2.26): up to which record, by whom, when (in seconds)."""
