"""DataForSEO: what people search for."""
