"""What this site holds and believes, in SQL."""
