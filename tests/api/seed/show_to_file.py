"""A backend of matplotlib whose show() writes the figures into the folder FIGURES: MPLBACKEND=module://show_to_file."""

import os

from matplotlib import _pylab_helpers
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas
from matplotlib.backends.backend_agg import FigureManagerBase as FigureManager

__all__ = ["FigureCanvas", "FigureManager", "show"]


def show(*unused, **unused_too):
    for manager in _pylab_helpers.Gcf.get_all_fig_managers():
        manager.canvas.figure.savefig(os.path.join(os.environ["FIGURES"], f"figure{manager.num}.png"))
