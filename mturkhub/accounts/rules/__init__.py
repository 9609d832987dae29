"""What the state allows now: each `check_…` raises the sentence a person reads."""
