"""Rules, their run through Great Expectations, and the pages that show it: for validate and dialogues."""
