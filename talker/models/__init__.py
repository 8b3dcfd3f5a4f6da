"""The networks: one configuration dataclass and one module per file."""
