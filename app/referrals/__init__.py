"""Promoters' codes, friends' redemptions, and the rewards for them."""
