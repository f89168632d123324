"""A tab of a browser: its photo, its runs, its files, and who it belongs to."""
