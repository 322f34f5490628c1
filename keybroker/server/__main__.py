"""``python -m keybroker.server FILE --workers N`` is ``keybroker serve``."""

import sys

from keybroker.server.supervisor import main

sys.exit(main(sys.argv[1:]))
