"""Promoters' codes, friends' redemptions, and the rewards for them.

A promoter becomes a referrer with a share code; the shop is to know the code; a friend's order that
carries it is a redemption; a redemption that counts has a reward, granted after its hold.

- States and tables: `rules` (of codes, publications, redemptions, rewards), `models` (referrers,
  codes, redemptions), `reward_models`, `visit_models`,
  `figure_models`, `leak_models`, `withheld_models`.
- A referrer and their code: `issue` (who gets an offer), `code_drafts` and `new_codes` (draw and
  write), `withheld` (who got none, and why), `code_state` (does it work),
  `disable`, `replace_leaked` and `leaks` with `leak_rules`, `find_referrers`.
- Codes in connected shops: `publishing`, a package of its own.
- A friend's page: `friend_offer`, `friend_codes` (a code for each friend); visits: `visit`,
  `count_visits`, `retain`.
- A friend's order: `redeem` decides on arrival, `redecide` once more is known, `relink` by a
  person. They read by `find_candidates`, `gather`, `marks` and `budget`, decide by `candidates`,
  `eligibility_rules`, `budget_rules`, and write by `record` and `code_uses`. `decide` is what staff
  may do. `fold_facts` folds refunds, cancellations and disputes in (`fold_rules`), on a
  `redemption_state`; `amend` and `book_discounts` see to what the friend got.
- A reward: `settle` is the sweep after the hold (`period_rules`), `reward` grants, `goodwill` does
  without an order, `reward_to_pay` and `pay_rewards` say with what. `reward_store` writes every
  change, by `reward_rules` and `amount_rules`. `move_reward` and `take_back` take it, `expire` ends
  it, `erase` takes people out.
- Spending it: `own_codes` and `own_use` with `own_use_rules` (a code of the owner's), `spend`
  (credit). In connected shops: `placing` puts rewards' codes there, `shop_credit` sees to credit
  that a shop holds; both are packages of their own. `reward_notes` in words.
- Messages: `announce`, `announce_live`, `templates`; what an offer says everywhere: `offer_texts`.
- A referrer's own page and what is shared: `routes`, `progress` with `progress_rows`, `sentences`,
  `credit_lines`, `goodwill_shown`, `shown`, `share`, `qr`.
- For the team: `figures` (what each referrer brought), `schemas` (the API), and terms that are not
  in force: `terms_preview`, `past_orders`, `preview_rules`, `preview_schemas`, `samples`.
"""
