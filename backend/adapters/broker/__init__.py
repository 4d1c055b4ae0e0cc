"""RabbitMQ: one connection per process, the names of what is ours there. Needed by clusters only."""
