__version__ = "0.2.0"

# The front door: what a reader wants first. Each name is imported when it is asked for, so that
# `import tsformer_nb` takes no time. nbdev exports the modules and leaves this file alone, but for the version.
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers and editors see; a test holds both lists together
    from tsformer_nb.checkup import check_encoder
    from tsformer_nb.data import Dataset, describe, dither, hold_out, load_dataset
    from tsformer_nb.deploy.export import export_run
    from tsformer_nb.deploy.runtime import load_exported
    from tsformer_nb.estimator import AutoClassifier, KernelClassifier, SeriesClassifier, TSFormerClassifier
    from tsformer_nb.evaluation import evaluate, predict
    from tsformer_nb.fitting import Fitted, PlainModel, SeriesModel, fit
    from tsformer_nb.io.files import InputError, InputWarning
    from tsformer_nb.kernel_model import KernelModel
    from tsformer_nb.model import TSFormer, TSFormerConfig
    from tsformer_nb.recipes import TrainingConfig, register
    from tsformer_nb.runs import load_run, train_run

_NAMES = {
    "checkup": ("check_encoder",),
    "data": ("Dataset", "describe", "dither", "hold_out", "load_dataset"),
    "deploy.export": ("export_run",),
    "deploy.runtime": ("load_exported",),
    "estimator": ("AutoClassifier", "KernelClassifier", "SeriesClassifier", "TSFormerClassifier"),
    "evaluation": ("evaluate", "predict"),
    "fitting": ("Fitted", "PlainModel", "SeriesModel", "fit"),
    "io.files": ("InputError", "InputWarning"),
    "kernel_model": ("KernelModel",),
    "model": ("TSFormer", "TSFormerConfig"),
    "recipes": ("TrainingConfig", "register"),
    "runs": ("load_run", "train_run"),
}
_PLACES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = ["__version__", *_PLACES]


def __getattr__(name):
    if name not in _PLACES:
        raise AttributeError(f"module 'tsformer_nb' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"tsformer_nb.{_PLACES[name]}"), name)
    return value


def __dir__():
    return sorted({*globals(), *__all__})
