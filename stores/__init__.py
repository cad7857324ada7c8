"""Where bytes live: files, the lock on a folder, models as folders or on the hub; knows no step."""
