"""The steps from an empty database to today's tables; `headshot.storage.database.migrate` runs them.

A new step is a file in `versions/`, written by hand after the one before it; a test holds the steps against the models.
There is no way down: a step back would have to throw jobs away.
"""
