"""Pages of people, teams and ways to a market."""
