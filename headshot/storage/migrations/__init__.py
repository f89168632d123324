"""The migrations from an empty database to the present tables; `headshot.storage.database.migrate` runs them.

A new one is a file in `versions/`, written by hand, whose name begins with its revision. A test compares the result of
all migrations with the models. There are no downgrades: they would have to delete jobs.
"""
