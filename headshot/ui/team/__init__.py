"""The tab for many people and one look."""
