"""The service `upper`, in Python: `python -m examples.services.upper --port 5000`."""

from typing import Final

from examples.services.text_service import TextService, main

SERVICE: Final = TextService(
    name="upper",
    input_description="The text to transform",
    output_description="The transformed text, in uppercase",
    transform=str.upper,
)

if __name__ == "__main__":
    main(SERVICE)
