"""The tab that shows what was made."""
