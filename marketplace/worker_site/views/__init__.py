"""The worker site's pages."""
