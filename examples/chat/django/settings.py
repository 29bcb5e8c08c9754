"""The least that Django and Channels need for the chat."""

import os

SECRET_KEY = "not secret: the chat signs nothing"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["channels"]
TIME_ZONE = "UTC"
USE_TZ = True

# The Redis of `linod serve`. Both sides use the prefix "asgi" unless they are told otherwise.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            "hosts": [os.environ.get("LINOD_CHANNEL_LAYER", "redis://localhost:6379")],
            "prefix": "asgi",
        },
    },
}
