"""How a PIN comes in: asked at the moment of use through a function handed in, never kept, never in a message."""

from __future__ import annotations

from collections.abc import Callable

from keybroker.errors import ConfigurationInvalid

Pin = Callable[[], str]
"""Gives the PIN each time it is called: at the first login, and at each login that recovery needs."""


class PinWrong(ConfigurationInvalid):
    """The token refused the PIN. Nobody tries again by itself: tokens count tries, and lock."""

    reason = "PIN_WRONG"
