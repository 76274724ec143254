"""The room's sweep `referrals`: a redemption whose hold is over is approved, and its referrer rewarded."""

from app.base.due import Sweep
from app.base.web import Ground


def sweep(ground: Ground) -> Sweep:
    """Approves pending redemptions whose hold is over, batch by batch."""
    raise NotImplementedError
