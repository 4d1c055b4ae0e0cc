"""The routes, one file for each noun. They call services and nothing past them."""
