"""A company's own branded, Twitter-like microblog on the open social web."""
