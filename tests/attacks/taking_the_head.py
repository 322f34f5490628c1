"""``python -m tests.attacks.taking_the_head CONFIG``: the ledger's head is taken out of the token, from outside."""

from __future__ import annotations

import sys

from keybroker.config import build_token, read_configuration
from keybroker.hsm.anchor import LABEL

if __name__ == "__main__":
    configuration = read_configuration(sys.argv[1])
    token = build_token(configuration, configuration.pin)
    with token.exclusively() as connection:
        for data in connection.find_data(LABEL):
            connection.destroy_data(data.handle)
    token.close()
