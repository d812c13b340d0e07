"""The service `space-counter`, in Python: `python -m examples.services.space_counter --port 5000`."""

from typing import Final

from examples.services.text_service import TextService, main

SERVICE: Final = TextService(
    name="space-counter",
    input_description="The text to analyze",
    output_description="The number of spaces in the text",
    transform=lambda text: text.count(" "),
)

if __name__ == "__main__":
    main(SERVICE)
