"""``python -m tests.attacks.dying_in_a_restore CONFIG ORDER ORDER``: the restore is recorded, and then it is killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from keybroker.cli.acting import operator
from keybroker.config import build_ledger, build_token, read_configuration
from keybroker.keys.restore import restore_ledger

if __name__ == "__main__":
    configuration = read_configuration(sys.argv[1])
    journal = build_ledger(configuration, worker="operator")[2]
    remembered = build_token(configuration, configuration.pin).read_anchor()
    orders = [Path(order).read_bytes().strip() for order in sys.argv[2:]]
    actor, at = operator(configuration, "operator"), configuration.clock.now()
    restore_ledger(journal, actor, remembered, orders, configuration.people, configuration.policies, at)
    os.kill(os.getpid(), signal.SIGKILL)
