"""cca's own description, by OpenAPI 3.1: what its routes take and answer, out of what reads and what refuses it."""
