#!/usr/bin/python3
"""Runs Django's commands in this project: manage.py runworker python"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workers.settings")
    execute_from_command_line(sys.argv)
