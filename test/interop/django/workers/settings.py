"""The least that Channels' runworker needs. Redis and the prefix come from the test that starts it."""

import os

SECRET_KEY = "for tests only"
USE_TZ = True
INSTALLED_APPS = ["channels"]
ASGI_APPLICATION = "workers.routing.application"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            "hosts": [os.environ["REDIS_URL"]],
            "prefix": os.environ["CHANNELS_PREFIX"],
            "capacity": 1000,
        },
    },
}

if "LINOD_SITE" in os.environ:
    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "linod": {
                "class": "linod_handler.LinodHandler",
                "site": os.environ["LINOD_SITE"],
                "hosts": [os.environ["REDIS_URL"]],
                "prefix": os.environ["CHANNELS_PREFIX"],
            },
        },
        "root": {"handlers": ["linod"], "level": "INFO"},
    }
