"""Conformance suites: shared, language-neutral cases driven through a real server over HTTP."""
