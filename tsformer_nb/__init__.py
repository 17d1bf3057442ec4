__version__ = "0.2.0"


def __getattr__(name):  # what is heavy is loaded when it is asked for: `import tsformer_nb` takes no time
    if name == "TSFormerClassifier":
        from tsformer_nb.estimator import TSFormerClassifier
        return TSFormerClassifier
    raise AttributeError(f"module 'tsformer_nb' has no attribute {name!r}")
