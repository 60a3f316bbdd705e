"""The sections of a page, one function each: from a scope to what it shows."""
