"""The hosted service: client, bodies, replies, polling, paid jobs, webhook, redaction, safe addresses."""
