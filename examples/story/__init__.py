"""What the demonstration is made of: its model, its server, its devices, and what they cost."""
