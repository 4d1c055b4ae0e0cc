"""What all tests share."""

pytest_plugins = [
    "tests.services",
    "tests.databases",
    "tests.stores",
    "tests.brokers",
    "tests.private_broker",
    "tests.private_postgres",
    "tests.s3",
]
