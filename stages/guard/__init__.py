"""Guard: care for people in distress, and what must not be said."""
