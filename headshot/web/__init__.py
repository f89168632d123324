"""The server around the page: routes, request filter, downloads."""
