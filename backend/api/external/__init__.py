"""The external API: for programs with an API key, and for apps that people have let in (contract 9)."""
