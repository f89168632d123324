"""The tab that reads what made a picture."""
