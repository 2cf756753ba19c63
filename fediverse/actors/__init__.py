"""Who acts: actors local and remote, their keys, the people behind them, and their relations."""
