"""Rewards' codes in connected shops: put there for their owners, and changed with the reward.

- A placement is one reward's code in one shop: `models`, `rules`; `placements` adds them, and has
  them looked at again when rewards change.
- The sweep: `sweep` runs a batch, which `claim` begins, `call` brings to the platform, and `record`
  ends.
"""
