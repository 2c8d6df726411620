"""A LoRA in the layouts, and with the documents, that other programs and the Hugging Face hub expect."""
