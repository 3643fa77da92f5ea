"""A finished result in a browser: a report that travels, and an explorer that explains every pixel."""
