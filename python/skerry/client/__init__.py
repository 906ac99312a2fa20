"""The device's side: app, users, realms, sessions and subscriptions. trio only."""
