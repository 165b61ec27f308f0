"""Pictures as plain columns: what is drawn, apart from how a file or a page draws it.

`picture_of` in `kinds` makes a `Picture` of a run or study; `matplotlib_figure` and `plotly_figure` draw one.
"""
