"""What goes over the wire: pydantic models for what comes in, plain functions for what goes out."""
