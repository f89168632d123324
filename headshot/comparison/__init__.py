"""A comparison: its axes become requests, and the requests headshots."""
