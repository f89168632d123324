"""The History tab: earlier comparisons and teams."""
