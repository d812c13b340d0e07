"""What the conformance suites need besides the engine: readers, matchers, stand-ins, drivers."""
