"""The server around the page: routes, one middleware a file, background tasks, downloads."""
