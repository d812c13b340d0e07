"""What is measured: this engine, others, and the floor, each behind the same few methods."""
