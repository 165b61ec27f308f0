"""One self-contained HTML page about a run, a study or a comparison."""
