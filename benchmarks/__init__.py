"""What the server costs: CPU seconds of its whole process tree, held against the project's bounds. See README.md."""
