"""A comparison or a team while it runs: queue, progress, files, history."""
