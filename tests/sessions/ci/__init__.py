"""CI facts, the job summary and what belongs to them."""
