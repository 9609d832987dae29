"""The marketplace: an MTurk-compatible server with a worker site, apart from the dashboard."""
