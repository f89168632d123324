"""The tab that reads a picture's metadata."""
