"""For a shop's own checkout: validate a code, redeem it with an order, roll a redemption back."""
