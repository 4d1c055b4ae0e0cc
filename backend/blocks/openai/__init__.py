"""OpenAI beyond language models: pictures."""
