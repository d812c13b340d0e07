"""One file per task kind. `registry.KINDS` lists them: a new kind is a new file and one line there."""
