"""The tab that makes headshots."""
