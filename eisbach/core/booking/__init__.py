"""The priced calendar: here calendar and money meet."""
