"""Blocks that ask language models. They know no provider: `BlockContext.language_models` does."""
