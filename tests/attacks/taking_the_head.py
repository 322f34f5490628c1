"""``python -m tests.attacks.taking_the_head CONFIG``: the ledger's head is taken out of the token, from outside.

No broker writes one meanwhile: one that had read the old head before could keep a new one after it was taken, and then
nothing would be missing.
"""

from __future__ import annotations

import sys

from keybroker.config import build_ledger, build_token, read_configuration
from keybroker.hsm.anchor import LABEL

if __name__ == "__main__":
    configuration = read_configuration(sys.argv[1])
    token = build_token(configuration, configuration.pin)
    ledger, _, journal = build_ledger(configuration, worker="thief")
    with journal.keeping_head(configuration.clock.now()), token.exclusively() as connection:
        for data in connection.find_data(LABEL):
            connection.destroy_data(data.handle)
    journal.close()
    ledger.close()
    token.close()
