"""Programs that show Penstock at work; each one runs as it stands."""
