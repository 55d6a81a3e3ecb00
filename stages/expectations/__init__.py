"""What the data must be: rules, their run through Great Expectations, and the pages that show it."""
