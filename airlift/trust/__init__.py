"""Who may say what: keys, signing, and the one place that decides to believe."""
