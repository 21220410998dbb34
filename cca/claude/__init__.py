"""The dialogue with the Claude Code program, without I/O: what to write to it, and what its lines mean."""
