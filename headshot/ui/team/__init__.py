"""The Team tab: many people, one look."""
