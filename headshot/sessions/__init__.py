"""A browser tab: its photo, its runs, its files, and who it belongs to."""
