"""The tab for votes and their ranking."""
