"""What a tab shows, as data for the page's scripts. Pure functions of the session; nothing here is HTML."""
