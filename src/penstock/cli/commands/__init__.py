"""One file per command or theme; each is imported only when its command is called."""
