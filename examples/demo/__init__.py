"""The demo: work under way, `kill -9` in the middle, and a proof that nothing was lost or done twice."""
