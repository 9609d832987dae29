"""The worker site: find, preview, accept, answer, return, earnings."""
