"""Nothing at all: the application as it is."""


def protect(app):
    pass
