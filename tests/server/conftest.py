"""What the tests of every kind of request share: good ones, each new."""

from __future__ import annotations

import pytest

from tests.conftest import RunningDeployment
from tests.offers import Offers


@pytest.fixture(scope="module")
def offered(deployment: RunningDeployment) -> Offers:
    return Offers(deployment)
