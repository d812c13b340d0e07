"""The service `reverse`, in Python: `python -m examples.services.reverse --port 5000`."""

from typing import Final

from examples.services.text_service import TextService, main

SERVICE: Final = TextService(
    name="reverse",
    input_description="The text to transform",
    output_description="The reversed text",
    transform=lambda text: text[::-1],
)

if __name__ == "__main__":
    main(SERVICE)
