"""Looking after the instance: what people report, and what moderators do about it.

Who may do what stands in ``fediverse.roles``; callers check it. What moderators do is written down in the audit log.
"""
