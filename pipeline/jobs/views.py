"""Beam's options with views that are made once.

While it builds a graph Beam asks for a view of its options hundreds of times, and makes a parser of all options that it
knows for each: a quarter of what a small graph takes. A view holds no value of its own, so one of each kind is enough.
"""

from typing import TypeVar, cast

from apache_beam.options.pipeline_options import PipelineOptions

View = TypeVar("View", bound=PipelineOptions)


class Options(PipelineOptions):
    """As Beam's own, to be given to a pipeline."""

    def view_as(self, cls: type[View]) -> View:
        views: dict[type[PipelineOptions], PipelineOptions] = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return cast(View, views[cls])
