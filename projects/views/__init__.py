"""Pages: each fetches with `for_actor`, builds the form, calls the action and answers."""
