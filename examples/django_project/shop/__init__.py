"""The app with the effects of events."""
