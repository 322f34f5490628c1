"""What is done in each step? One function a step; each first finds what of it stands already, and finishes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from keybroker.ceremony.book import Held
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.performing import (
    activating,
    certifying,
    combining,
    destroying,
    gathering,
    making,
    proving,
    receiving,
    renouncing,
    resharing,
    settling,
    splitting,
    transferring,
    trying,
)
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.steps import StepName
from keybroker.ledger.canonical_json import Json

__all__ = ["PERFORMED", "PREPARED", "Done", "Stage"]

Perform = Callable[[Stage], Done]
Prepare = Callable[[Hall, Held], Mapping[str, Json]]

PERFORMED: Mapping[StepName, Perform] = {
    StepName.GATHER: gathering.gather,
    StepName.CHECK_MODULE: gathering.check_module,
    StepName.TICK_CONDITIONS: gathering.tick_conditions,
    StepName.MAKE_KEY: making.make_key,
    StepName.MAKE_REQUEST: certifying.make_request,
    StepName.MAKE_ROOT_CERTIFICATE: certifying.make_root_certificate,
    StepName.ENROL_CERTIFICATE: certifying.enrol_certificate,
    StepName.ACTIVATE_KEY: making.activate_key,
    StepName.SWITCH_KEYS: making.switch_keys,
    StepName.SHARE_KEY: splitting.share_key,
    StepName.OPEN_SHARES: trying.open_shares,
    StepName.TRIAL_QUORUM: trying.trial_quorum,
    StepName.READ_BACK_BLOBS: splitting.read_back_blobs,
    StepName.DESTROY_IN_MODULE: splitting.destroy_in_module,
    StepName.COMBINE_AND_USE: combining.combine_and_use,
    StepName.LET_GO: combining.let_go,
    StepName.RESHARE_KEY: resharing.reshare_key,
    StepName.RETIRE_OLD_SHARES: resharing.retire_old_shares,
    StepName.PROVE_SHARES: proving.prove_shares,
    StepName.OFFER_WRAPPING_KEY: receiving.offer_wrapping_key,
    StepName.WITHHOLD_KEY: transferring.withhold_key,
    StepName.WRAP_KEY: transferring.wrap_keys,
    StepName.IMPORT_KEY: receiving.import_keys,
    StepName.ACTIVATE_TRANSFERRED: activating.activate_transferred,
    StepName.RENOUNCE: renouncing.renounce,
    StepName.SETTLE_SOURCE: settling.settle_source,
    StepName.COUNT_COPIES: destroying.count_copies,
    StepName.DESTROY_COPIES: destroying.destroy_copies,
    StepName.CONFIRM_DESTRUCTION: destroying.confirm_destruction,
    StepName.CLOSE: activating.close,
}
"""Every step has one."""

PREPARED: Mapping[StepName, Prepare] = {}
"""What must be the same however often a step is gone on with: drawn before it begins, and recorded."""
