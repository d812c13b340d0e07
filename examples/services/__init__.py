"""Three small text services in three languages: tools for workflows to call."""
