"""Web push: devices are told of notifications through the push service of their browser or app.

``subscriptions`` says which devices, ``queue`` what is on its way, ``vapid`` who we are, ``messages`` what is said and
how it is encrypted, ``worker`` sends it.
"""
