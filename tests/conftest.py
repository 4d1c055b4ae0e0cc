"""What all tests share."""

from hypothesis import HealthCheck, settings

# Says of a busy machine that it is one; what a test costs is seen elsewhere.
settings.register_profile("ours", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

pytest_plugins = [
    "tests.services",
    "tests.databases",
    "tests.stores",
    "tests.brokers",
    "tests.private_broker",
    "tests.private_postgres",
    "tests.s3",
]
