"""``python -m tests.server.another_head CONFIG put|take``: the head of another ledger in the token, from outside."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from keybroker.config import build_token, read_configuration
from keybroker.hsm.anchor import LABEL, decode_head, encode_head
from keybroker.ledger.model import Head

ANOTHER = Head(origin="another.example/TEST", tree_size=1, root_hash=bytes(32), at=datetime(2026, 1, 1, tzinfo=UTC))

if __name__ == "__main__":
    configuration = read_configuration(sys.argv[1])
    token = build_token(configuration, configuration.pin)
    with token.exclusively() as connection:
        if sys.argv[2] == "put":
            connection.create_data(LABEL, encode_head(ANOTHER))
        for data in connection.find_data(LABEL):
            if sys.argv[2] == "take" and decode_head(data.octets).origin == ANOTHER.origin:
                connection.destroy_data(data.handle)
    token.close()
