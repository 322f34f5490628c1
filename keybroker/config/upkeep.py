"""What may keybroker.toml say of back-ups and retention? ``[backup]`` and ``[retention]``, each there or not.

SEC G2.16 (back-up) and G2.17-G2.18, G3.10 (the party's Data Retention Policy, which says how long). Section G names no
period. The floors are ours, each with what it stands on; nothing ages where there is no ``[retention]``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from keybroker.config.table import Table, Text

FULL_YEAR = 366
"""Days. SEC G8.40: within twelve months of each assessment follows the next, and it asks for what was between."""
FULL_CYCLE = 3 * FULL_YEAR
"""Days. SEC G8.40-G8.42: from one Full User Security Assessment to the next, where two lesser ones stand between."""


class BackUpTable(Table):
    """Who reads a back-up (certificates of RSA keys of 3072 bits, PEM), and how old the last may be before it is warned
    of.
    """

    recipients: Annotated[list[Text], Field(min_length=1)]
    warn_after_days: Annotated[int, Field(ge=1, le=366)]


class RetentionTable(Table):
    """For how many days each is kept at least, before an order of a person lets it age out.

    ``octets``: messages beside the records. ``reads``: reads, starts and stops. ``refusals``: what was not served.
    ``uses``: intents with their outcomes and releases.
    """

    octets_days: Annotated[int, Field(ge=31)]
    """At least 31 days: the longest time in which a reviewer (G2.26, G3.3) first looks, and re-judging needs them."""
    reads_days: Annotated[int, Field(ge=FULL_YEAR)]
    refusals_days: Annotated[int, Field(ge=FULL_YEAR)]
    uses_days: Annotated[int, Field(ge=FULL_CYCLE)]
